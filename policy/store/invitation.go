package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"vitrine/web/db"
)

func init() {
	db.RegisterMigration(13, "invitations", func(tx *gorm.DB) error {
		return db.Create(tx, `CREATE TABLE invitations (
			user_id VARCHAR(80) PRIMARY KEY REFERENCES users (id), token_hash CHAR(64) NOT NULL UNIQUE, expires BIGINT NOT NULL)`)
	})
}

type invitationRow struct {
	UserID    string `gorm:"primaryKey"`
	TokenHash string
	Expires   int64
}

func (invitationRow) TableName() string { return "invitations" }

// SetInvitation implements identity.Store.
func (a *Accounts) SetInvitation(ctx context.Context, userID, tokenHash string, expires time.Time) error {
	row := invitationRow{userID, tokenHash, toMillis(expires)}
	return a.change(ctx, "keeping an invitation", func(tx *gorm.DB) *gorm.DB {
		if r := tx.Where("user_id = ?", userID).Delete(&invitationRow{}); r.Error != nil {
			return r
		}
		return tx.Create(&row)
	})
}

// Invitation implements identity.Store.
func (a *Accounts) Invitation(ctx context.Context, tokenHash string) (userID string, expires time.Time, err error) {
	var row invitationRow
	err = a.db.Read(ctx).Where("token_hash = ?", tokenHash).Limit(1).Take(&row).Error
	return row.UserID, fromMillis(row.Expires), failed("reading an invitation", err)
}

// DeleteInvitation implements identity.Store.
func (a *Accounts) DeleteInvitation(ctx context.Context, tokenHash string) error {
	return a.change(ctx, "spending an invitation", func(tx *gorm.DB) *gorm.DB {
		return tx.Where("token_hash = ?", tokenHash).Delete(&invitationRow{})
	})
}

// Invitations implements identity.Store.
func (a *Accounts) Invitations(ctx context.Context, workspace string) (map[string]time.Time, error) {
	var rows []invitationRow
	err := a.db.Read(ctx).Where("user_id IN (SELECT id FROM users WHERE workspace = ?)", workspace).Limit(maxList).Find(&rows).Error
	out := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		out[r.UserID] = fromMillis(r.Expires)
	}
	return out, failed("listing invitations", err)
}

// Factors implements identity.Store.
func (a *Accounts) Factors(ctx context.Context, workspace string) (map[string]bool, error) {
	var ids []string
	err := a.db.Read(ctx).Model(&factorRow{}).Where("confirmed > 0 AND user_id IN (SELECT id FROM users WHERE workspace = ?)", workspace).
		Limit(maxList).Pluck("user_id", &ids).Error
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, failed("listing second factors", err)
}
