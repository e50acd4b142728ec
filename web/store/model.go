package store

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// Model is one registered model version. Labels and Files are JSON.
type Model struct {
	ID           string `gorm:"primaryKey"`
	Workspace    string
	Name         string
	Version      string
	Digest       string
	Task         string
	Family       string
	Architecture string
	Modality     string
	Labels       string
	Parameters   int64
	DType        string `gorm:"column:dtype"`
	Source       string // embedded or folder
	Path         string // of a folder; "" for embedded models
	Files        string
	Card         string
	Created      int64
	AddedBy      string
	// Stopped says that a person stopped the model, every version of it; it is read with
	// the row by ModelByName, ModelByDigest and Models.
	Stopped bool `gorm:"->"`
}

// withStop selects a model's row with Stopped: no road to a model runs without it.
const withStop = `models.*, EXISTS (SELECT 1 FROM model_stops WHERE model_stops.workspace = models.workspace
	AND model_stops.model_name = models.name AND model_stops.started = 0) AS stopped`

// AddModel inserts a model version: [ErrExists] when name and version are taken.
func (s *Store) AddModel(ctx context.Context, m *Model) error { return s.add(ctx, m) }

// UpdateModel writes what may change of a model version: where its folder lies.
func (s *Store) UpdateModel(ctx context.Context, workspace, id, path string) error {
	err := s.db.Tx(ctx).Model(&Model{}).Where("workspace = ? AND id = ?", workspace, id).Update("path", path).Error
	if err != nil {
		return fmt.Errorf("store: moving a model: %w", err)
	}
	return nil
}

// ModelByName returns the version of a model that was added last, or the one named.
func (s *Store) ModelByName(ctx context.Context, workspace, name, version string) (*Model, error) {
	q := s.db.Read(ctx).Select(withStop).Where("workspace = ? AND name = ?", workspace, name)
	if version != "" {
		q = q.Where("version = ?", version)
	}
	return one[Model](q.Order("id DESC"))
}

// ModelByDigest returns the model version with these files.
func (s *Store) ModelByDigest(ctx context.Context, workspace, digest string) (*Model, error) {
	return one[Model](s.db.Read(ctx).Select(withStop).Where("workspace = ? AND digest = ?", workspace, digest).Order("id DESC"))
}

// Models lists at most MaxPage model versions by name, the newest version first.
func (s *Store) Models(ctx context.Context, workspace string) ([]Model, error) {
	var list []Model
	err := s.db.Read(ctx).Select(withStop).Where("workspace = ?", workspace).Order("name, id DESC").Limit(MaxPage).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing models: %w", err)
	}
	return list, nil
}

// CountModels counts all model versions of a workspace.
func (s *Store) CountModels(ctx context.Context, workspace string) (n int64, err error) {
	err = s.db.Read(ctx).Model(&Model{}).Where("workspace = ?", workspace).Count(&n).Error
	return n, err
}

// matchModel restricts a query to a model given as name, name@version or digest.
func matchModel(q *gorm.DB, model string) *gorm.DB {
	switch name, version, at := strings.Cut(model, "@"); {
	case model == "":
		return q
	case at:
		return q.Where("model_name = ? AND model_version = ?", name, version)
	case len(model) == 64:
		return q.Where("model_digest = ? OR model_name = ?", model, model)
	default:
		return q.Where("model_name = ?", name)
	}
}
