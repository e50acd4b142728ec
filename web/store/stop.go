package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"vitrine/web/db"
)

// ModelStop is one time that a person stopped a model, every version of it, until
// somebody started it again.
type ModelStop struct {
	ID            string `gorm:"primaryKey"`
	Workspace     string
	ModelName     string
	Stopped       int64
	StoppedBy     string
	Reason        string
	Started       int64 // 0 = stopped now
	StartedBy     string
	StartedReason string
}

func init() {
	db.RegisterMigration(5, "stopped models", func(tx *gorm.DB) error {
		return db.Create(tx,
			`CREATE TABLE model_stops (
				id CHAR(26) PRIMARY KEY, workspace CHAR(26) NOT NULL, model_name VARCHAR(128) NOT NULL,
				stopped BIGINT NOT NULL, stopped_by VARCHAR(64) NOT NULL, reason TEXT NOT NULL,
				started BIGINT NOT NULL, started_by VARCHAR(64) NOT NULL, started_reason TEXT NOT NULL)`,
			`CREATE UNIQUE INDEX model_stops_now ON model_stops (workspace, model_name) WHERE started = 0`,
			`CREATE INDEX model_stops_model ON model_stops (workspace, model_name, id)`,
		)
	})
}

// StopModel records that a model is stopped: [ErrExists] when it is already.
func (s *Store) StopModel(ctx context.Context, m *ModelStop) error { return s.add(ctx, m) }

// StartModel ends the stop of a model: [ErrNotFound] when it is not stopped.
func (s *Store) StartModel(ctx context.Context, m *ModelStop) error {
	got := s.db.Tx(ctx).Model(&ModelStop{}).Where("workspace = ? AND model_name = ? AND started = 0", m.Workspace, m.ModelName).
		Select("started", "started_by", "started_reason").Updates(m)
	if got.Error != nil {
		return fmt.Errorf("store: starting a model: %w", got.Error)
	}
	if got.RowsAffected == 0 {
		return ErrNotFound
	}
	return nil
}

// StopOf returns the stop that holds a model now: [ErrNotFound] when it runs.
func (s *Store) StopOf(ctx context.Context, workspace, model string) (*ModelStop, error) {
	return one[ModelStop](s.db.Read(ctx).Where("workspace = ? AND model_name = ? AND started = 0", workspace, model))
}

// StopsOf lists the stops of a model, newest first, or ("") those that hold now.
func (s *Store) StopsOf(ctx context.Context, workspace, model string) (list []ModelStop, err error) {
	q := s.db.Read(ctx).Where("workspace = ?", workspace)
	if model != "" {
		q = q.Where("model_name = ?", model)
	} else {
		q = q.Where("started = 0")
	}
	if err := q.Order("id DESC").Limit(MaxPage).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("store: listing stopped models: %w", err)
	}
	return list, nil
}
