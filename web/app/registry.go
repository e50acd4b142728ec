package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/inference"
	"vitrine/inference/pretrained"
	"vitrine/inference/weights"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// Sources of a model.
const (
	sourceEmbedded = "embedded"
	sourceFolder   = "folder"
)

// firstVersion is the version of a model whose card or owner names none.
const firstVersion = "1.0.0"

var (
	modelName    = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,94}[A-Za-z0-9])?$`)
	modelVersion = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$`)
)

// registry loads each model version once and shares it. A loaded model stays loaded:
// its file is mapped, so the memory is the system's to take back.
type registry struct {
	mu     sync.Mutex
	loaded map[string]*loading // by digest
}

// loading is one model on its way in; once guards model and err.
type loading struct {
	once  sync.Once
	model *inference.Model
	err   error
}

// model returns the loaded checkpoint of a registered version. A folder whose files
// changed since they were registered is refused.
func (a *App) model(row *store.Model) (*inference.Model, error) {
	a.models.mu.Lock()
	if a.models.loaded == nil {
		a.models.loaded = map[string]*loading{}
	}
	l := a.models.loaded[row.Digest]
	if l == nil {
		l = &loading{}
		a.models.loaded[row.Digest] = l
	}
	a.models.mu.Unlock()
	l.once.Do(func() { l.model, l.err = open(row) })
	if l.err != nil {
		a.models.mu.Lock()
		if a.models.loaded[row.Digest] == l {
			delete(a.models.loaded, row.Digest) // the folder may be put right
		}
		a.models.mu.Unlock()
	}
	return l.model, l.err
}

func open(row *store.Model) (*inference.Model, error) {
	var m *inference.Model
	var err error
	if row.Source == sourceEmbedded {
		fsys, ok := pretrained.FS(row.Name)
		if !ok {
			return nil, fail(ErrUnknownModel, "use the program's version that had it", "the model %s is not part of this program any more", row.Name)
		}
		m, err = inference.OpenFS(fsys, row.Name)
	} else {
		m, err = inference.Open(row.Path)
	}
	if err != nil {
		return nil, modelError(err)
	}
	if got := m.Info().Digest; got != row.Digest {
		m.Close()
		return nil, fail(ErrModelFolder, "put the registered files back, or add the folder again as a new version",
			"the files of %s@%s are not those that were registered", row.Name, row.Version)
	}
	return m, nil
}

// close releases every loaded model.
func (r *registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for digest, l := range r.loaded {
		l.once.Do(func() {})
		if l.model != nil {
			l.model.Close()
		}
		delete(r.loaded, digest)
	}
}

// modelError brings an error of opening a checkpoint into this package's terms.
func modelError(err error) error {
	switch {
	case errors.Is(err, inference.ErrUnsupported):
		return fail(ErrModelFolder, "models of the families bert and resnet run today", "%s", plain(err))
	case errors.Is(err, inference.ErrModel), errors.Is(err, fs.ErrNotExist):
		return fail(ErrModelFolder, "the folder must hold a complete checkpoint: config.json, *.safetensors, tokenizer or image processor files", "%s", plain(err))
	}
	return err
}

// plain is an error's text on one line.
func plain(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// lookup finds a registered version by name, name@version or digest.
func (a *App) lookup(ctx context.Context, ref string) (*store.Model, error) {
	name, version, at := strings.Cut(ref, "@")
	var row *store.Model
	err := store.ErrNotFound
	if modelName.MatchString(name) && (!at || modelVersion.MatchString(version)) {
		row, err = a.store.ModelByName(ctx, a.workspace, name, version)
		if errors.Is(err, store.ErrNotFound) && !at && len(name) == 64 {
			row, err = a.store.ModelByDigest(ctx, a.workspace, name)
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, a.unknownModel(ctx, ref)
	}
	return row, err
}

func (a *App) unknownModel(ctx context.Context, ref string) error {
	hint := "vitrine model list shows the registered models"
	if list, err := a.store.Models(ctx, a.workspace); err == nil && len(list) > 0 && len(list) <= 12 {
		var names []string
		for _, m := range list {
			names = append(names, m.Name+"@"+m.Version)
		}
		hint = "registered: " + strings.Join(names, ", ")
	}
	return fail(ErrUnknownModel, hint, "no model is registered as %q", clip(ref))
}

// registerShipped adds the embedded models that this workspace does not have yet. A
// program whose embedded files changed adds a further version.
func (a *App) registerShipped(ctx context.Context) error {
	for _, name := range pretrained.Names() {
		fsys, _ := pretrained.FS(name)
		files, err := weights.Digests(fsys)
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

// AddModel checks a hub folder on this machine, records the digest of every file and
// registers it as name@version. An empty name registers the folder by its digest, as
// "local-…", which is how `-m PATH` gets its name: a folder's own name stays out of the
// log. Files that are registered already give the version that they have.
//
// Errors: [*Denied]; ErrModelFolder naming the tensor or file that is wrong;
// ErrExists for a name and version that other files hold.
func (a *App) AddModel(ctx context.Context, c identity.Caller, folder, name, version string) (*ModelView, error) {
	object := "model"
	if modelName.MatchString(name) {
		object = "model:" + name
	}
	q := ask{caller: c, action: "model.add", object: object, denied: "MODEL.ADDED.DENIED"}
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	if name != "" && !modelName.MatchString(name) {
		return nil, fail(ErrInput, "use letters, digits, '.', '_', '-' and '/'", "%q cannot be the name of a model", clip(name))
	}
	if version != "" && !modelVersion.MatchString(version) {
		return nil, fail(ErrInput, "use lower-case letters, digits, '.', '_' and '-', such as 1.0.0", "%q cannot be a version", clip(version))
	}
	path, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("app: finding the model folder: %w", err)
	}
	if s, err := os.Stat(path); err != nil || !s.IsDir() {
		return nil, fail(ErrModelFolder, "give the path of a folder that holds config.json and *.safetensors", "there is no folder at that path")
	}
	m, err := inference.Open(path)
	if err != nil {
		return nil, a.modelFailed(ctx, q, decisionLeaf(d), modelError(err))
	}
	defer m.Close()
	info := m.Info()
	if known, err := a.store.ModelByDigest(ctx, a.workspace, info.Digest); err == nil && (name == "" || known.Name == name && (version == "" || known.Version == version)) {
		return a.known(ctx, known, path)
	}
	if name == "" {
		name = "local-" + info.Digest[:12]
	}
	if version == "" {
		version = firstVersion
	}
	row := modelRow(a.workspace, info, name, version, sourceFolder, path, c.ID, a.now())
	if err := a.addModel(ctx, q, decisionLeaf(d), row, len(info.Files)); err != nil {
		return nil, err
	}
	return a.modelView(ctx, row, true)
}

// known returns a registered version, remembering where its files lie now.
func (a *App) known(ctx context.Context, row *store.Model, path string) (*ModelView, error) {
	if row.Source == sourceFolder && row.Path != path {
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
