package app

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"sync"

	"vitrine/inference"
	"vitrine/inference/pretrained"
	"vitrine/web/store"
)

// Sources of a model.
const (
	sourceEmbedded = "embedded"
	sourceFolder   = "folder"
	sourceArchive  = "archive"
	sourceAddress  = "address"
	sourceHub      = "hub"
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
		return fail(ErrModelFolder, "the documentation lists the families that run", "%s", plain(err))
	case errors.Is(err, inference.ErrModel), errors.Is(err, fs.ErrNotExist):
		return fail(ErrModelFolder, "the folder must hold a complete checkpoint: config.json, *.safetensors, tokenizer or image processor files", "%s", plain(err))
	}
	return err
}

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
