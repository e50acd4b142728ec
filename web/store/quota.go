package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"vitrine/web/db"
)

// Quota bounds how often a user, a key or a model is used. Object is an id or a model's
// name; "*" counts each of its kind by itself. 0 = no bound.
type Quota struct {
	Workspace string `gorm:"primaryKey"`
	Kind      string `gorm:"primaryKey"` // user, key or model
	Object    string `gorm:"primaryKey"`
	PerMinute int64
	PerDay    int64
}

// TableName implements gorm's Tabler: its rules take quota for a plural.
func (Quota) TableName() string { return "quotas" }

// QuotaUse is how often something was used since a minute or a day began.
type QuotaUse struct {
	Workspace string `gorm:"primaryKey"`
	Object    string `gorm:"primaryKey"` // user:…, key:… or model:…
	Span      string `gorm:"primaryKey"` // minute or day
	Starts    int64  `gorm:"primaryKey"` // Unix time in ms
	Uses      int64
}

func init() {
	db.RegisterMigration(8, "quotas", func(tx *gorm.DB) error {
		return db.Create(tx,
			`CREATE TABLE quotas (
				workspace CHAR(26) NOT NULL, kind VARCHAR(16) NOT NULL, object VARCHAR(128) NOT NULL,
				per_minute BIGINT NOT NULL, per_day BIGINT NOT NULL, PRIMARY KEY (workspace, kind, object))`,
			`CREATE TABLE quota_uses (
				workspace CHAR(26) NOT NULL, object VARCHAR(140) NOT NULL, span VARCHAR(8) NOT NULL, starts BIGINT NOT NULL,
				uses BIGINT NOT NULL, PRIMARY KEY (workspace, object, span, starts))`,
			`CREATE INDEX quota_uses_old ON quota_uses (starts)`,
		)
	})
}

// maxQuotas bounds the list of quotas.
const maxQuotas = 1000

// Quotas lists the quotas of a workspace, at most 1,000.
func (s *Store) Quotas(ctx context.Context, workspace string) ([]Quota, error) {
	var list []Quota
	if err := s.db.Read(ctx).Where("workspace = ?", workspace).Order("kind, object").Limit(maxQuotas).Find(&list).Error; err != nil {
		return nil, fmt.Errorf("store: listing quotas: %w", err)
	}
	return list, nil
}

// SetQuota replaces a quota; without a bound it is removed.
func (s *Store) SetQuota(ctx context.Context, q *Quota) error {
	tx := s.db.Tx(ctx)
	if q.PerMinute == 0 && q.PerDay == 0 {
		tx = tx.Delete(q)
	} else {
		tx = tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(q)
	}
	if tx.Error != nil {
		return fmt.Errorf("store: keeping a quota: %w", tx.Error)
	}
	return nil
}

// Use counts one use unless there were most, at least 1, already: ok says so. It belongs
// into a write transaction with the other counts of the same request.
func (s *Store) Use(ctx context.Context, u QuotaUse, most int64) (ok bool, err error) {
	tx := s.db.Tx(ctx)
	add := tx.Model(&QuotaUse{}).Where("workspace = ? AND object = ? AND span = ? AND starts = ? AND uses < ?", u.Workspace, u.Object, u.Span, u.Starts, most).
		Update("uses", gorm.Expr("uses + 1"))
	if add.Error != nil || add.RowsAffected > 0 {
		return true, add.Error
	}
	u.Uses = 1
	first := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&u)
	if first.Error != nil {
		return false, fmt.Errorf("store: counting a use: %w", first.Error)
	}
	return first.RowsAffected > 0, nil
}

// DropUses removes counts that began before a time, at most 500 of them.
func (s *Store) DropUses(ctx context.Context, before int64) error {
	old := s.db.Tx(ctx).Exec("DELETE FROM quota_uses WHERE (workspace, object, span, starts) IN (SELECT workspace, object, span, starts FROM quota_uses WHERE starts < ? LIMIT 500)", before)
	if old.Error != nil {
		return fmt.Errorf("store: removing old counts: %w", old.Error)
	}
	return nil
}
