package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"vitrine/policy/identity"
	"vitrine/web/db"
)

func init() {
	db.RegisterMigration(12, "second factors and accounts of other providers", func(tx *gorm.DB) error {
		return db.Create(tx,
			`ALTER TABLE sessions ADD COLUMN proved BIGINT NOT NULL DEFAULT 0`,
			`CREATE TABLE second_factors (
				user_id VARCHAR(80) PRIMARY KEY REFERENCES users (id), sealed BLOB NOT NULL,
				created BIGINT NOT NULL, confirmed BIGINT NOT NULL, step BIGINT NOT NULL)`,
			`CREATE TABLE recovery_codes (
				user_id VARCHAR(80) NOT NULL REFERENCES users (id), hash CHAR(64) NOT NULL, PRIMARY KEY (user_id, hash))`,
			`CREATE TABLE external_accounts (
				workspace VARCHAR(64) NOT NULL, issuer VARCHAR(500) NOT NULL, subject VARCHAR(255) NOT NULL,
				user_id VARCHAR(80) NOT NULL REFERENCES users (id), created BIGINT NOT NULL,
				PRIMARY KEY (workspace, issuer, subject))`,
		)
	})
}

type factorRow struct {
	UserID    string `gorm:"primaryKey"`
	Sealed    []byte
	Created   int64
	Confirmed int64
	Step      int64
}

func (factorRow) TableName() string { return "second_factors" }

type recoveryRow struct {
	UserID string `gorm:"primaryKey"`
	Hash   string `gorm:"primaryKey"`
}

func (recoveryRow) TableName() string { return "recovery_codes" }

// Factor implements identity.Store.
func (a *Accounts) Factor(ctx context.Context, userID string) (identity.Factor, error) {
	var row factorRow
	if err := a.db.Read(ctx).Where("user_id = ?", userID).Limit(1).Take(&row).Error; err != nil {
		return identity.Factor{}, failed("reading a second factor", err)
	}
	var left int64
	err := a.db.Read(ctx).Model(&recoveryRow{}).Where("user_id = ?", userID).Count(&left).Error
	return identity.Factor{UserID: row.UserID, Sealed: row.Sealed, Created: fromMillis(row.Created), Confirmed: fromMillis(row.Confirmed),
		Step: row.Step, Recovery: int(left)}, failed("counting recovery codes", err)
}

// SetFactor implements identity.Store.
func (a *Accounts) SetFactor(ctx context.Context, f identity.Factor, recovery []string) error {
	row := factorRow{f.UserID, f.Sealed, toMillis(f.Created), toMillis(f.Confirmed), f.Step}
	return failed("keeping a second factor", write(ctx, a.db, func(_ context.Context, tx *gorm.DB) error {
		if err := dropFactor(tx, f.UserID); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil || len(recovery) == 0 {
			return err
		}
		codes := make([]recoveryRow, len(recovery))
		for i, hash := range recovery {
			codes[i] = recoveryRow{f.UserID, hash}
		}
		return tx.Create(&codes).Error
	}))
}

// UseStep implements identity.Store: one statement, so that a code sent twice at once
// is taken once.
func (a *Accounts) UseStep(ctx context.Context, userID string, step int64) error {
	return a.change(ctx, "using a code", func(tx *gorm.DB) *gorm.DB {
		return tx.Model(&factorRow{}).Where("user_id = ? AND confirmed > 0 AND step < ?", userID, step).Update("step", step)
	})
}

// UseRecoveryCode implements identity.Store.
func (a *Accounts) UseRecoveryCode(ctx context.Context, userID, hash string) error {
	return a.change(ctx, "using a recovery code", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("user_id = ? AND hash = ?", userID, hash).Delete(&recoveryRow{})
	})
}

// DeleteFactor implements identity.Store.
func (a *Accounts) DeleteFactor(ctx context.Context, userID string) error {
	return failed("removing a second factor", write(ctx, a.db, func(_ context.Context, tx *gorm.DB) error {
		return dropFactor(tx, userID)
	}))
}

func dropFactor(tx *gorm.DB, userID string) error {
	if err := tx.Where("user_id = ?", userID).Delete(&recoveryRow{}).Error; err != nil {
		return err
	}
	return tx.Where("user_id = ?", userID).Delete(&factorRow{}).Error
}

type externalRow struct {
	Workspace string `gorm:"primaryKey"`
	Issuer    string `gorm:"primaryKey"`
	Subject   string `gorm:"primaryKey"`
	UserID    string
	Created   int64
}

func (externalRow) TableName() string { return "external_accounts" }

// UserByExternal implements identity.Store.
func (a *Accounts) UserByExternal(ctx context.Context, workspace, issuer, subject string) (identity.User, error) {
	var row externalRow
	err := a.db.Read(ctx).Where("workspace = ? AND issuer = ? AND subject = ?", workspace, issuer, subject).Limit(1).Take(&row).Error
	if err != nil {
		return identity.User{}, failed("reading an account of another provider", err)
	}
	return a.User(ctx, row.UserID)
}

// LinkExternal implements identity.Store.
func (a *Accounts) LinkExternal(ctx context.Context, workspace, issuer, subject, userID string, at time.Time) error {
	row := externalRow{workspace, issuer, subject, userID, toMillis(at)}
	return a.change(ctx, "linking an account", func(tx *gorm.DB) *gorm.DB { return tx.Create(&row) })
}
