package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"vitrine/inference/hub"
	"vitrine/policy/identity"
	"vitrine/web/db"
	"vitrine/web/store"
)

// ImportRequest names a checkpoint that is brought here, checked and registered.
type ImportRequest struct {
	// Source is the address of a GGUF file or archive (https, with SHA256), a repository
	// of the hub (owner/name or hub:owner/name), or the path of a ZIP archive or wheel on
	// the server's machine.
	Source   string `json:"source"`
	SHA256   string `json:"sha256,omitempty"`
	Revision string `json:"revision,omitempty"` // branch, tag or commit of a repository; "" = main
	Inside   string `json:"inside,omitempty"`   // path within an archive or repository; "" = the only checkpoint
	Name     string `json:"name,omitempty"`
	Version  string `json:"version,omitempty"`
}

// importKind is the task that imports.
const importKind = "model"

// importing holds the folders that something is being fetched into.
var importing sync.Map

func init() {
	registerTask(importKind, taskKind{unit: "bytes", work: func(ctx context.Context, a *App, t *task) (any, string, error) {
		var r ImportRequest
		if err := a.taskRequest(ctx, t.row, &r); err != nil {
			return nil, "", err
		}
		v, err := a.importModel(ctx, t, r)
		if err != nil {
			if hint := Hint(err); hint != "" {
				return taskFailure{err.Error(), hint}, "", err
			}
			return nil, "", err
		}
		return v, v.Name + "@" + v.Version, nil
	}})
}

// StartImport fetches a checkpoint by a job: into a folder of its own beside the others,
// checked against the digests that the hub or the caller names, and put into place only
// when the engine has opened it. A job that was interrupted goes on where it was.
//
// Errors: [*Denied]; ErrInput for a source that is not one, or not allowed. What comes out
// later, the job's result says.
func (a *App) StartImport(ctx context.Context, c identity.Caller, r ImportRequest) (*TaskView, error) {
	q := addition(c, r.Name)
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := named(r.Name, r.Version); err != nil {
		return nil, err
	}
	if _, _, err := a.source(c, r); err != nil {
		return nil, a.modelFailed(ctx, q, decisionLeaf(d), err)
	}
	return a.startTask(ctx, q, d, &store.Task{Kind: importKind, Model: r.Name}, r)
}

// source brings what a caller names into the hub's terms.
func (a *App) source(c identity.Caller, r ImportRequest) (*hub.Client, hub.Source, error) {
	client, err := hub.New(a.config.Sources)
	if err != nil {
		return nil, hub.Source{}, importError(err)
	}
	s := hub.Source{Inside: r.Inside}
	repo, marked := strings.CutPrefix(r.Source, "hub:")
	switch {
	case strings.Contains(r.Source, "://"):
		s.Address, s.SHA256 = r.Source, r.SHA256
	case marked, hub.IsRepo(repo) && !hub.IsArchive(repo):
		s.Repo, s.Revision = repo, r.Revision
	default:
		if err := client.Check(hub.Source{File: r.Source, Inside: r.Inside}); err != nil {
			return nil, s, importError(err)
		}
		if s.File, err = a.modelPath(c, r.Source); err != nil {
			return nil, s, err
		}
	}
	if s.Repo == "" && r.Revision != "" || s.Address == "" && r.SHA256 != "" {
		return nil, s, fail(ErrInput, "leave it out", "only a repository has a revision, and only an address a sha256")
	}
	return client, s, importError(client.Check(s))
}

// importError brings an error of fetching into this package's terms.
func importError(err error) error {
	switch {
	case errors.Is(err, hub.ErrSource):
		return fail(ErrInput, "name another source", "%s", plain(err))
	case errors.Is(err, hub.ErrContent):
		return fail(ErrModelFolder, "compare with what the publisher says, and try again", "%s", plain(err))
	case errors.Is(err, hub.ErrReach):
		return fail(ErrBusy, "try again later; what has come already is kept", "%s", plain(err))
	case err != nil:
		return db.Translate(err)
	}
	return nil
}

func (a *App) importModel(ctx context.Context, t *task, r ImportRequest) (*ModelView, error) {
	q := addition(t.caller, r.Name)
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	client, s, err := a.source(t.caller, r)
	if err != nil {
		return nil, a.modelFailed(ctx, q, decisionLeaf(d), err)
	}
	models := filepath.Join(a.db.Dir(), "models")
	key, _ := json.Marshal(s) // has only texts
	dir := filepath.Join(models, fmt.Sprintf(".fetch-%x", sha256.Sum256(key))[:7+16])
	if _, busy := importing.LoadOrStore(dir, true); busy {
		return nil, fail(ErrConflict, "wait for the other job", "this source is being fetched already")
	}
	defer importing.Delete(dir)
	f, err := client.Fetch(ctx, s, dir, func(done, total int64) {
		t.row.Total = max(t.row.Total, total)
		t.tell(done)
	})
	if err != nil {
		if errors.Is(err, hub.ErrSource) || errors.Is(err, hub.ErrContent) {
			os.RemoveAll(dir) // nothing to go on with
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, a.modelFailed(ctx, q, decisionLeaf(d), importError(err))
	}
	from, err := settle(f, s, filepath.Join(models, strings.ToLower(t.row.ID)))
	if err != nil {
		return nil, db.Translate(err)
	}
	os.RemoveAll(dir) // only what was fetched on the way is left there
	v, err := a.register(ctx, q, d, from, r.Name, r.Version)
	if err != nil {
		os.RemoveAll(filepath.Join(models, strings.ToLower(t.row.ID)))
	}
	return v, err
}

// settle moves a fetched checkpoint to where it stays.
func settle(f *hub.Fetched, s hub.Source, place string) (origin, error) {
	from := origin{sourceArchive, place}
	switch {
	case s.Repo != "":
		from.source = sourceHub
	case s.Address != "":
		from.source = sourceAddress
	}
	if err := os.RemoveAll(place); err != nil { // of an attempt that was interrupted
		return from, fmt.Errorf("app: placing a model: %w", err)
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return from, fmt.Errorf("app: placing a model: %w", err)
	}
	if !info.IsDir() {
		if err := os.MkdirAll(place, 0o700); err != nil {
			return from, fmt.Errorf("app: placing a model: %w", err)
		}
		from.path = filepath.Join(place, filepath.Base(f.Path))
	}
	if err := os.Rename(f.Path, from.path); err != nil {
		return from, fmt.Errorf("app: placing a model: %w", err)
	}
	return from, nil
}
