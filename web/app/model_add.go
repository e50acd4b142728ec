package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/inference"
	"vitrine/inference/pretrained"
	"vitrine/inference/weights"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// registerShipped adds the embedded models that this workspace does not have yet. A
// program whose embedded files changed adds a further version.
func (a *App) registerShipped(ctx context.Context) error {
	for _, name := range pretrained.Names() {
		fsys, _ := pretrained.FS(name)
		files, err := weights.Digests(ctx, fsys)
		if err != nil {
			return fmt.Errorf("app: reading the shipped model %s: %w", name, err)
		}
		if _, err := a.store.ModelByDigest(ctx, a.workspace, weights.Combined(files)); err == nil {
			continue
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		m, err := inference.OpenFS(fsys, name)
		if err != nil {
			return fmt.Errorf("app: opening the shipped model %s: %w", name, err)
		}
		version := firstVersion
		for n := 1; ; n++ {
			if _, err := a.store.ModelByName(ctx, a.workspace, name, version); errors.Is(err, store.ErrNotFound) {
				break
			} else if err != nil {
				return err
			}
			version = fmt.Sprintf("1.0.%d", n)
		}
		row := modelRow(a.workspace, m.Info(), name, version, sourceEmbedded, "", "system", a.now())
		err = a.db.Write(ctx, func(ctx context.Context) error {
			if err := a.store.AddModel(ctx, row); err != nil {
				return err
			}
			_, err := a.log.Append(ctx, audit.Event{Code: "MODEL.ADDED.OK", Actor: "system", Object: "model:" + name,
				Digest: row.Digest, Model: modelLeaf(row), Codes: modelCodes(row),
				Numbers: map[string]int64{"files": int64(len(m.Info().Files)), "parameters": row.Parameters}})
			return err
		})
		m.Close()
		if err != nil {
			return fmt.Errorf("app: registering the shipped model %s: %w", name, err)
		}
	}
	return nil
}

func modelCodes(row *store.Model) map[string]string {
	codes := map[string]string{"source": row.Source}
	for name, value := range map[string]string{"task": row.Task, "family": row.Family} {
		if modelVersion.MatchString(value) {
			codes[name] = value
		}
	}
	return codes
}

func modelRow(workspace string, info inference.Info, name, version, source, path, by string, now time.Time) *store.Model {
	labels, _ := json.Marshal(info.Labels)
	files, _ := json.Marshal(info.Files)
	return &store.Model{
		ID: ulid.Make().String(), Workspace: workspace, Name: name, Version: version, Digest: info.Digest,
		Task: info.Task, Family: info.Family, Architecture: info.Architecture, Modality: info.Modality,
		Labels: string(labels), Parameters: info.Parameters, DType: info.DType,
		Source: source, Path: path, Files: string(files), Card: info.Card,
		Created: now.UnixMilli(), AddedBy: by,
	}
}

func modelLeaf(row *store.Model) *audit.Model {
	return &audit.Model{ID: row.Name, Version: row.Version, Digest: row.Digest}
}

func modelRef(row *store.Model) ModelRef {
	return ModelRef{Name: row.Name, Version: row.Version, Digest: row.Digest}
}

// AddModel checks a hub folder or a GGUF file on this machine, records the digest of every file and
// registers it as name@version. An empty name registers the folder by its digest, as
// "local-…", which is how `-m PATH` gets its name: a folder's own name stays out of the
// log. Files that are registered already give the version that they have.
//
// Errors: [*Denied]; ErrModelFolder naming the tensor or file that is wrong;
// ErrExists for a name and version that other files hold.
func (a *App) AddModel(ctx context.Context, c identity.Caller, folder, name, version string) (*ModelView, error) {
	q := addition(c, name)
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := named(name, version); err != nil {
		return nil, err
	}
	path, err := a.modelPath(c, folder)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if _, err := os.Stat(filepath.Join(path, "config.json")); err != nil {
			err := fail(ErrNoModelFolder, "give the path of a folder with config.json, *.safetensors, and tokenizer or image processor files, or of a GGUF file", "%s has no config.json", clip(path))
			return nil, a.modelFailed(ctx, q, decisionLeaf(d), err)
		}
	}
	return a.register(ctx, q, d, origin{sourceFolder, path}, name, version)
}

// addition is the question of whether a model may be added under a name.
func addition(c identity.Caller, name string) ask {
	object := "model"
	if modelName.MatchString(name) {
		object = "model:" + name
	}
	return ask{caller: c, action: policy.ModelAdd, object: object, denied: "MODEL.ADDED.DENIED"}
}

// named refuses a name or version that no model can have; both may be left out.
func named(name, version string) error {
	if name != "" && !modelName.MatchString(name) {
		return fail(ErrInput, "use letters, digits, '.', '_', '-' and '/'", "%q cannot be the name of a model", clip(name))
	}
	if version != "" && !modelVersion.MatchString(version) {
		return fail(ErrInput, "use lower-case letters, digits, '.', '_' and '-', such as 1.0.0", "%q cannot be a version", clip(version))
	}
	return nil
}

// origin says where a model's files lie, and how they came there.
type origin struct{ source, path string }

// register opens a checkpoint and enters it, with the digest of every file, into the
// inventory and the log.
func (a *App) register(ctx context.Context, q ask, d policy.Decision, from origin, name, version string) (*ModelView, error) {
	m, err := inference.Open(from.path)
	if err != nil {
		return nil, a.modelFailed(ctx, q, decisionLeaf(d), modelError(err))
	}
	defer m.Close()
	info := m.Info()
	if info.Digest == "" {
		err := fail(ErrModelFolder, "add it again when nobody writes to it", "the files of the model changed while they were read")
		return nil, a.modelFailed(ctx, q, decisionLeaf(d), err)
	}
	if known, err := a.store.ModelByDigest(ctx, a.workspace, info.Digest); err == nil && (name == "" || known.Name == name && (version == "" || known.Version == version)) {
		return a.known(ctx, known, from.path)
	}
	if name == "" {
		name = "local-" + info.Digest[:12]
	}
	if version == "" {
		version = firstVersion
	}
	row := modelRow(a.workspace, info, name, version, from.source, from.path, q.caller.ID, a.now())
	if err := a.addModel(ctx, q, decisionLeaf(d), row, len(info.Files)); err != nil {
		return nil, err
	}
	return a.modelView(ctx, row, true)
}

// modelPath finds the folder or file that a caller names. Only the operator at the machine
// may name any; others could look around, so that theirs lie below DIR/models.
func (a *App) modelPath(c identity.Caller, folder string) (string, error) {
	path, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("app: finding the model folder: %w", err)
	}
	if c.Auth != identity.AuthLocal {
		shared := filepath.Join(a.db.Dir(), "models")
		path = filepath.Join(shared, filepath.FromSlash(folder))
		if filepath.IsAbs(folder) {
			path = filepath.Clean(folder)
		}
		real, err := filepath.EvalSymlinks(path)
		root, err2 := filepath.EvalSymlinks(shared)
		inside, err3 := filepath.Rel(root, real)
		if err != nil || err2 != nil || err3 != nil || !filepath.IsLocal(inside) {
			return "", fail(ErrNoModelFolder, "put the folder below models in the server's data folder and name it, or run vitrine model add on the server's machine",
				"there is no model folder of that name on the server")
		}
	}
	if s, err := os.Stat(path); err != nil || !s.IsDir() && !s.Mode().IsRegular() {
		return "", fail(ErrModelFolder, "give the path of a folder that holds config.json and *.safetensors, or of a GGUF file", "there is no folder or file at that path")
	}
	return path, nil
}

// known returns a registered version, remembering where its files lie now.
func (a *App) known(ctx context.Context, row *store.Model, path string) (*ModelView, error) {
	if row.Source != sourceEmbedded && row.Path != path {
		err := a.db.Write(ctx, func(ctx context.Context) error { return a.store.UpdateModel(ctx, a.workspace, row.ID, path) })
		if err != nil {
			return nil, err
		}
		row.Path = path
	}
	return a.modelView(ctx, row, true)
}

func (a *App) addModel(ctx context.Context, q ask, d *audit.Decision, row *store.Model, files int) error {
	err := a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.store.AddModel(ctx, row); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{
			Code: "MODEL.ADDED.OK", Actor: q.caller.ID, Auth: q.caller.Auth, Action: string(q.action), Object: "model:" + row.Name,
			Digest: row.Digest, Decision: d, Model: modelLeaf(row), Codes: modelCodes(row),
			Numbers: map[string]int64{"files": int64(files), "parameters": row.Parameters},
		})
		return err
	})
	if errors.Is(err, store.ErrExists) {
		return fail(ErrExists, "give it another version", "%s@%s is registered with other files", row.Name, row.Version)
	}
	return err
}

// modelFailed records that a folder was refused.
func (a *App) modelFailed(ctx context.Context, q ask, d *audit.Decision, cause error) error {
	_, err := a.log.Append(ctx, audit.Event{
		Code: "MODEL.ADDED.FAILED", Actor: q.caller.ID, Auth: q.caller.Auth, Action: string(q.action),
		Object: logObject(q.object), Decision: d, Reason: "model-folder",
	})
	return errors.Join(cause, err)
}
