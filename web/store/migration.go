package store

import (
	"gorm.io/gorm"

	"vitrine/web/db"
)

// Times are Unix milliseconds, ids ULIDs, flags 0 or 1: the same on SQLite and
// PostgreSQL.
func init() {
	db.RegisterMigration(1, "workspaces, models, predictions, explanations, exports", func(tx *gorm.DB) error {
		return db.Create(tx,
			`CREATE TABLE workspaces (
				id CHAR(26) PRIMARY KEY, slug VARCHAR(64) NOT NULL UNIQUE, created BIGINT NOT NULL)`,
			`CREATE TABLE models (
				id CHAR(26) PRIMARY KEY, workspace CHAR(26) NOT NULL,
				name VARCHAR(128) NOT NULL, version VARCHAR(64) NOT NULL, digest CHAR(64) NOT NULL,
				task VARCHAR(64) NOT NULL, family VARCHAR(64) NOT NULL, architecture VARCHAR(128) NOT NULL,
				modality VARCHAR(16) NOT NULL, labels TEXT NOT NULL, parameters BIGINT NOT NULL, dtype VARCHAR(16) NOT NULL,
				source VARCHAR(16) NOT NULL, path TEXT NOT NULL, files TEXT NOT NULL, card TEXT NOT NULL,
				created BIGINT NOT NULL, added_by VARCHAR(64) NOT NULL,
				UNIQUE (workspace, name, version))`,
			`CREATE INDEX models_digest ON models (workspace, digest)`,
			`CREATE TABLE predictions (
				id CHAR(26) PRIMARY KEY, workspace CHAR(26) NOT NULL, created BIGINT NOT NULL,
				actor VARCHAR(64) NOT NULL, subject VARCHAR(64) NOT NULL,
				model_name VARCHAR(128) NOT NULL, model_version VARCHAR(64) NOT NULL, model_digest CHAR(64) NOT NULL,
				task VARCHAR(64) NOT NULL, modality VARCHAR(16) NOT NULL,
				purpose VARCHAR(64) NOT NULL, data_class VARCHAR(64) NOT NULL,
				input BLOB NOT NULL, picture BLOB, clear BLOB, output BLOB NOT NULL,
				label_index CHAR(32) NOT NULL, masked BIGINT NOT NULL, decision TEXT NOT NULL, event CHAR(26) NOT NULL, seconds DOUBLE PRECISION NOT NULL)`,
			`CREATE INDEX predictions_page ON predictions (workspace, id)`,
			`CREATE INDEX predictions_actor ON predictions (workspace, actor, id)`,
			`CREATE INDEX predictions_model ON predictions (workspace, model_name, id)`,
			`CREATE INDEX predictions_label ON predictions (workspace, label_index, id)`,
			`CREATE TABLE explanations (
				id CHAR(26) PRIMARY KEY, workspace CHAR(26) NOT NULL, created BIGINT NOT NULL,
				prediction CHAR(26) NOT NULL REFERENCES predictions (id), subject VARCHAR(64) NOT NULL,
				actor VARCHAR(64) NOT NULL, method VARCHAR(64) NOT NULL, method_version VARCHAR(16) NOT NULL,
				result BLOB NOT NULL, tensors BLOB, record BLOB NOT NULL, record_hash CHAR(64) NOT NULL,
				decision TEXT NOT NULL, event CHAR(26) NOT NULL, seconds DOUBLE PRECISION NOT NULL)`,
			`CREATE INDEX explanations_prediction ON explanations (workspace, prediction, id)`,
			`CREATE TABLE exports (
				id CHAR(26) PRIMARY KEY, workspace CHAR(26) NOT NULL, created BIGINT NOT NULL, finished BIGINT NOT NULL,
				actor VARCHAR(64) NOT NULL, format VARCHAR(16) NOT NULL, language VARCHAR(16) NOT NULL, query TEXT NOT NULL,
				status VARCHAR(16) NOT NULL, done BIGINT NOT NULL, total BIGINT NOT NULL,
				first BIGINT NOT NULL, size BIGINT NOT NULL,
				bytes BIGINT NOT NULL, sha256 VARCHAR(64) NOT NULL, problem VARCHAR(64) NOT NULL,
				job BIGINT NOT NULL, decision TEXT NOT NULL)`,
			`CREATE INDEX exports_page ON exports (workspace, id)`,
		)
	})
}
