package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/db"
)

// maxList bounds the lists of accounts, sessions and keys.
const maxList = 1000

// Accounts implements identity.Store.
type Accounts struct{ db *db.DB }

var _ identity.Store = (*Accounts)(nil)

// NewAccounts makes the store.
func NewAccounts(d *db.DB) *Accounts { return &Accounts{d} }

type userRow struct {
	ID           string `gorm:"primaryKey"`
	Workspace    string
	Name         string
	NameKey      string
	Roles        string
	PasswordHash string
	Created      int64
	Disabled     int64
}

func (userRow) TableName() string { return "users" }

// nameKey is what names are compared by: compatibility forms and case folded.
func nameKey(name string) string { return strings.ToLower(norm.NFKC.String(name)) }

func (r userRow) user() identity.User {
	return identity.User{ID: r.ID, Workspace: r.Workspace, Name: r.Name, Roles: splitRoles(r.Roles),
		PasswordHash: r.PasswordHash, Created: fromMillis(r.Created), Disabled: fromMillis(r.Disabled)}
}

// failed words an error of the database for identity.
func failed(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return identity.ErrNotFound
	case isDuplicate(err):
		return identity.ErrExists
	}
	return fmt.Errorf("store: %s: %w", doing, db.Translate(err))
}

// change runs one statement that must touch exactly one row.
func (a *Accounts) change(ctx context.Context, doing string, fn func(tx *gorm.DB) *gorm.DB) error {
	return failed(doing, write(ctx, a.db, func(_ context.Context, tx *gorm.DB) error {
		r := fn(tx)
		if r.Error == nil && r.RowsAffected == 0 {
			return gorm.ErrRecordNotFound
		}
		return r.Error
	}))
}

// AddUser implements identity.Store.
func (a *Accounts) AddUser(ctx context.Context, u identity.User) error {
	row := userRow{u.ID, u.Workspace, u.Name, nameKey(u.Name), strings.Join(u.Roles, " "), u.PasswordHash, toMillis(u.Created), toMillis(u.Disabled)}
	return a.change(ctx, "adding a user", func(tx *gorm.DB) *gorm.DB { return tx.Create(&row) })
}

// User implements identity.Store.
func (a *Accounts) User(ctx context.Context, id string) (identity.User, error) {
	var row userRow
	err := a.db.Read(ctx).Where("id = ?", id).Limit(1).Take(&row).Error
	return row.user(), failed("reading a user", err)
}

// UserByName implements identity.Store.
func (a *Accounts) UserByName(ctx context.Context, workspace, name string) (identity.User, error) {
	var row userRow
	err := a.db.Read(ctx).Where("workspace = ? AND name_key = ?", workspace, nameKey(name)).Limit(1).Take(&row).Error
	return row.user(), failed("reading a user", err)
}

// Users implements identity.Store: by name, at most 1,000.
func (a *Accounts) Users(ctx context.Context, workspace string) ([]identity.User, error) {
	var rows []userRow
	err := a.db.Read(ctx).Where("workspace = ?", workspace).Order("name_key, id").Limit(maxList).Find(&rows).Error
	out := make([]identity.User, len(rows))
	for i, r := range rows {
		out[i] = r.user()
	}
	return out, failed("listing users", err)
}

func (a *Accounts) setUser(ctx context.Context, id, column string, value any) error {
	return a.change(ctx, "changing a user", func(tx *gorm.DB) *gorm.DB {
		return tx.Model(&userRow{}).Where("id = ?", id).Update(column, value)
	})
}

// SetPassword implements identity.Store.
func (a *Accounts) SetPassword(ctx context.Context, id, hash string) error {
	return a.setUser(ctx, id, "password_hash", hash)
}

// SetRoles implements identity.Store.
func (a *Accounts) SetRoles(ctx context.Context, id string, roles []string) error {
	return a.setUser(ctx, id, "roles", strings.Join(roles, " "))
}

// SetDisabled implements identity.Store.
func (a *Accounts) SetDisabled(ctx context.Context, id string, at time.Time) error {
	return a.setUser(ctx, id, "disabled", toMillis(at))
}

// CountAdmins implements identity.Store.
func (a *Accounts) CountAdmins(ctx context.Context, workspace string) (int, error) {
	q := a.db.Read(ctx).Model(&userRow{}).Where("disabled = 0 AND ' ' || roles || ' ' LIKE ?", "% "+policy.Admin+" %")
	if workspace != "" {
		q = q.Where("workspace = ?", workspace)
	}
	var n int64
	err := q.Count(&n).Error
	return int(n), failed("counting administrators", err)
}

type sessionRow struct {
	ID        string `gorm:"primaryKey"`
	TokenHash string
	Workspace string
	UserID    string
	Auth      string
	Created   int64
	Seen      int64
	Expires   int64
	Proved    int64
}

func (sessionRow) TableName() string { return "sessions" }

func (r sessionRow) session() identity.Session {
	return identity.Session{ID: r.ID, TokenHash: r.TokenHash, Workspace: r.Workspace, UserID: r.UserID, Auth: r.Auth,
		Created: fromMillis(r.Created), Seen: fromMillis(r.Seen), Expires: fromMillis(r.Expires), Proved: fromMillis(r.Proved)}
}

// AddSession implements identity.Store. It also drops sessions past their
// absolute limit, a few hundred at a time.
func (a *Accounts) AddSession(ctx context.Context, s identity.Session) error {
	row := sessionRow{s.ID, s.TokenHash, s.Workspace, s.UserID, s.Auth, toMillis(s.Created), toMillis(s.Seen), toMillis(s.Expires), toMillis(s.Proved)}
	return a.change(ctx, "adding a session", func(tx *gorm.DB) *gorm.DB {
		stale := tx.Model(&sessionRow{}).Select("id").Where("expires < ?", row.Created).Limit(200)
		if r := tx.Where("id IN (?)", stale).Delete(&sessionRow{}); r.Error != nil {
			return r
		}
		return tx.Create(&row)
	})
}

// SessionByToken implements identity.Store.
func (a *Accounts) SessionByToken(ctx context.Context, tokenHash string) (identity.Session, error) {
	var row sessionRow
	err := a.db.Read(ctx).Where("token_hash = ?", tokenHash).Limit(1).Take(&row).Error
	return row.session(), failed("reading a session", err)
}

// Sessions implements identity.Store: newest first.
func (a *Accounts) Sessions(ctx context.Context, userID string) ([]identity.Session, error) {
	var rows []sessionRow
	err := a.db.Read(ctx).Where("user_id = ?", userID).Order("id DESC").Limit(maxList).Find(&rows).Error
	out := make([]identity.Session, len(rows))
	for i, r := range rows {
		out[i] = r.session()
	}
	return out, failed("listing sessions", err)
}

// TouchSession implements identity.Store.
func (a *Accounts) TouchSession(ctx context.Context, id string, seen time.Time) error {
	return a.change(ctx, "noting a session", func(tx *gorm.DB) *gorm.DB {
		return tx.Model(&sessionRow{}).Where("id = ?", id).Update("seen", toMillis(seen))
	})
}

// ProveSession implements identity.Store.
func (a *Accounts) ProveSession(ctx context.Context, id string, at time.Time) error {
	return a.change(ctx, "noting a proof", func(tx *gorm.DB) *gorm.DB {
		return tx.Model(&sessionRow{}).Where("id = ?", id).Update("proved", toMillis(at))
	})
}

// DeleteSession implements identity.Store; one that is gone is no error.
func (a *Accounts) DeleteSession(ctx context.Context, id string) error {
	return failed("ending a session", write(ctx, a.db, func(_ context.Context, tx *gorm.DB) error {
		return tx.Where("id = ?", id).Delete(&sessionRow{}).Error
	}))
}

// DeleteSessionsOf implements identity.Store.
func (a *Accounts) DeleteSessionsOf(ctx context.Context, userID, keep string) error {
	return failed("ending sessions", write(ctx, a.db, func(_ context.Context, tx *gorm.DB) error {
		return tx.Where("user_id = ? AND id <> ?", userID, keep).Delete(&sessionRow{}).Error
	}))
}

type keyRow struct {
	ID        string `gorm:"primaryKey"`
	Workspace string
	Name      string
	Prefix    string
	Hash      string
	Roles     string
	Owner     string
	Created   int64
	Expires   int64
	Used      int64
	Disabled  int64
}

func (keyRow) TableName() string { return "api_keys" }

func (r keyRow) key() identity.Key {
	return identity.Key{ID: r.ID, Workspace: r.Workspace, Name: r.Name, Prefix: r.Prefix, Hash: r.Hash, Roles: splitRoles(r.Roles), Owner: r.Owner,
		Created: fromMillis(r.Created), Expires: fromMillis(r.Expires), Used: fromMillis(r.Used), Disabled: fromMillis(r.Disabled)}
}

// AddKey implements identity.Store.
func (a *Accounts) AddKey(ctx context.Context, k identity.Key) error {
	row := keyRow{k.ID, k.Workspace, k.Name, k.Prefix, k.Hash, strings.Join(k.Roles, " "), k.Owner,
		toMillis(k.Created), toMillis(k.Expires), toMillis(k.Used), toMillis(k.Disabled)}
	return a.change(ctx, "adding a key", func(tx *gorm.DB) *gorm.DB { return tx.Create(&row) })
}

// KeyByPrefix implements identity.Store.
func (a *Accounts) KeyByPrefix(ctx context.Context, prefix string) (identity.Key, error) {
	var row keyRow
	err := a.db.Read(ctx).Where("prefix = ?", prefix).Limit(1).Take(&row).Error
	return row.key(), failed("reading a key", err)
}

// Keys implements identity.Store: newest first.
func (a *Accounts) Keys(ctx context.Context, workspace string) ([]identity.Key, error) {
	var rows []keyRow
	err := a.db.Read(ctx).Where("workspace = ?", workspace).Order("id DESC").Limit(maxList).Find(&rows).Error
	out := make([]identity.Key, len(rows))
	for i, r := range rows {
		out[i] = r.key()
	}
	return out, failed("listing keys", err)
}

// TouchKey implements identity.Store.
func (a *Accounts) TouchKey(ctx context.Context, id string, used time.Time) error {
	return a.change(ctx, "noting a key", func(tx *gorm.DB) *gorm.DB {
		return tx.Model(&keyRow{}).Where("id = ?", id).Update("used", toMillis(used))
	})
}

// SetKeyDisabled implements identity.Store.
func (a *Accounts) SetKeyDisabled(ctx context.Context, id string, at time.Time) error {
	return a.change(ctx, "disabling a key", func(tx *gorm.DB) *gorm.DB {
		return tx.Model(&keyRow{}).Where("id = ?", id).Update("disabled", toMillis(at))
	})
}
