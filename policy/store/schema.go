package store

import (
	"gorm.io/gorm"

	"vitrine/web/db"
)

// The tables of this package. A published migration never changes: a new column
// is a further one.
func init() {
	db.RegisterMigration(10, "policy versions, users, sessions, API keys", func(tx *gorm.DB) error {
		return db.Create(tx,
			`CREATE TABLE policy_versions (
				workspace VARCHAR(64) NOT NULL, number BIGINT NOT NULL, hash CHAR(64) NOT NULL, content BLOB NOT NULL,
				rules BIGINT NOT NULL, author VARCHAR(80) NOT NULL, reason TEXT NOT NULL, created BIGINT NOT NULL,
				PRIMARY KEY (workspace, number))`,
			`CREATE INDEX policy_versions_hash ON policy_versions (workspace, hash)`,
			`CREATE TABLE users (
				id VARCHAR(80) PRIMARY KEY, workspace VARCHAR(64) NOT NULL, name TEXT NOT NULL, name_key TEXT NOT NULL,
				roles TEXT NOT NULL, password_hash TEXT NOT NULL, created BIGINT NOT NULL, disabled BIGINT NOT NULL,
				UNIQUE (workspace, name_key))`,
			`CREATE TABLE sessions (
				id VARCHAR(80) PRIMARY KEY, token_hash CHAR(64) NOT NULL UNIQUE, workspace VARCHAR(64) NOT NULL,
				user_id VARCHAR(80) NOT NULL REFERENCES users (id), auth VARCHAR(32) NOT NULL,
				created BIGINT NOT NULL, seen BIGINT NOT NULL, expires BIGINT NOT NULL)`,
			`CREATE INDEX sessions_user ON sessions (user_id)`,
			`CREATE INDEX sessions_expires ON sessions (expires)`,
			`CREATE TABLE api_keys (
				id VARCHAR(80) PRIMARY KEY, workspace VARCHAR(64) NOT NULL, name TEXT NOT NULL,
				prefix VARCHAR(32) NOT NULL UNIQUE, hash CHAR(64) NOT NULL, roles TEXT NOT NULL, owner VARCHAR(80) NOT NULL,
				created BIGINT NOT NULL, expires BIGINT NOT NULL, used BIGINT NOT NULL, disabled BIGINT NOT NULL)`,
			`CREATE INDEX api_keys_workspace ON api_keys (workspace, id)`,
		)
	})
}
