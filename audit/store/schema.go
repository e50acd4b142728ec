// Package store keeps a transparency log in the database: the outbox that an
// action writes its event to, the sequencer that gives events their dense index
// and signs the tree over them, tiles, receipts, queries and the check of the
// whole log.
//
// An event is one row of audit_events from the moment of its action; rows whose
// index is null are the outbox. The sequencer marks rows, it never remembers "the
// last id seen": ids are given before commits and may commit out of order.
package store

import (
	"gorm.io/gorm"

	"vitrine/web/db"
)

// eventRow is an event. The columns beside the leaf repeat fields of it so that
// they can be indexed; Verify compares them with the leaf.
type eventRow struct {
	ID        int64  `gorm:"primaryKey;autoIncrement;index:idx_audit_outbox,priority:2,where:idx IS NULL"`
	Workspace string `gorm:"not null;size:64;uniqueIndex:idx_audit_index,priority:1;index:idx_audit_outbox,priority:1,where:idx IS NULL;index:idx_audit_code,priority:1;index:idx_audit_actor,priority:1;index:idx_audit_object,priority:1;index:idx_audit_model,priority:1;index:idx_audit_effect,priority:1;index:idx_audit_time,priority:1;index:idx_audit_request,priority:1"`
	EventID   string `gorm:"not null;size:26;uniqueIndex:idx_audit_event"`
	Idx       *int64 `gorm:"uniqueIndex:idx_audit_index,priority:2;index:idx_audit_code,priority:3;index:idx_audit_actor,priority:3;index:idx_audit_object,priority:3;index:idx_audit_model,priority:3;index:idx_audit_effect,priority:3"`
	Leaf      []byte `gorm:"not null"`
	LeafHash  []byte `gorm:"not null"`
	Code      string `gorm:"not null;size:64;index:idx_audit_code,priority:2"`
	Time      string `gorm:"not null;size:24;index:idx_audit_time,priority:2"`
	Actor     string `gorm:"not null;size:64;index:idx_audit_actor,priority:2"`
	Object    string `gorm:"not null;size:160;index:idx_audit_object,priority:2"`
	Model     string `gorm:"not null;size:96;index:idx_audit_model,priority:2"`
	Effect    string `gorm:"not null;size:8;index:idx_audit_effect,priority:2"`
	Request   string `gorm:"not null;size:26;index:idx_audit_request,priority:2"`
}

func (eventRow) TableName() string { return "audit_events" }

// logRow is the head of a workspace's log. Size is what a sequencer compares and
// swaps.
type logRow struct {
	Workspace   string `gorm:"primaryKey;size:64"`
	Origin      string `gorm:"not null;size:128"`
	VerifierKey string `gorm:"not null;size:256"`
	Size        int64  `gorm:"not null"`
	Checkpoint  []byte `gorm:"not null"`
	Created     string `gorm:"not null;size:24"`
}

func (logRow) TableName() string { return "audit_logs" }

// checkpointRow is every checkpoint ever signed.
type checkpointRow struct {
	ID        int64  `gorm:"primaryKey;autoIncrement"`
	Workspace string `gorm:"not null;size:64;index:idx_audit_checkpoint,priority:1"`
	Origin    string `gorm:"not null;size:128"`
	Size      int64  `gorm:"not null;index:idx_audit_checkpoint,priority:2"`
	Time      string `gorm:"not null;size:24"`
	Note      []byte `gorm:"not null"`
}

func (checkpointRow) TableName() string { return "audit_checkpoints" }

// tileRow is the widest known form of a hash tile: narrower forms are prefixes.
type tileRow struct {
	Workspace string `gorm:"primaryKey;size:64"`
	Level     int    `gorm:"primaryKey;autoIncrement:false"`
	N         int64  `gorm:"primaryKey;autoIncrement:false"`
	Data      []byte `gorm:"not null"`
}

func (tileRow) TableName() string { return "audit_tiles" }

func init() {
	db.RegisterMigration(20, "audit log", func(tx *gorm.DB) error {
		return tx.Migrator().CreateTable(&eventRow{}, &logRow{}, &checkpointRow{}, &tileRow{})
	})
	db.RegisterMigration(21, "retired log keys, witnessed checkpoints", func(tx *gorm.DB) error {
		return tx.Migrator().CreateTable(&keyRow{}, &witnessedRow{}, &seenRow{})
	})
}
