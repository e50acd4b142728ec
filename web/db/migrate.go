package db

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"gorm.io/gorm"
)

// Migration is one step of the schema. Numbers only ever grow and a published step
// is never edited: a change is a further step.
type Migration struct {
	Number int
	Name   string
	up     func(tx *gorm.DB) error
}

var migrations = map[int]Migration{}

// RegisterMigration adds a step; store packages call it from init. The ranges:
// 1–9 web/store, 10–19 policy/store, 20–29 audit/store, 30–39 web/job; from 100 on
// whoever comes next. It panics on a number used twice.
func RegisterMigration(n int, name string, up func(tx *gorm.DB) error) {
	if n <= 0 || name == "" || up == nil {
		panic("db: a migration needs a positive number, a name and a function")
	}
	if _, twice := migrations[n]; twice {
		panic(fmt.Sprintf("db: migration %d is registered twice", n))
	}
	migrations[n] = Migration{Number: n, Name: name, up: up}
}

// Migrations lists the registered steps in the order in which they run.
func Migrations() []Migration {
	list := make([]Migration, 0, len(migrations))
	for _, m := range migrations {
		list = append(list, m)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Number < list[j].Number })
	return list
}

// appliedMigration is one row of the list of steps that a database has seen.
type appliedMigration struct {
	Number  int    `gorm:"primaryKey;autoIncrement:false"`
	Name    string `gorm:"not null"`
	Applied int64  `gorm:"not null"` // Unix seconds
}

func (appliedMigration) TableName() string { return "schema_migrations" }

// migrate applies the missing steps, all in one transaction: a database is either
// at the old schema or at the new one.
func migrate(ctx context.Context, writer *gorm.DB, e engine) error {
	err := writer.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := e.alone(tx); err != nil {
			return err
		}
		if err := tx.Exec(`CREATE TABLE IF NOT EXISTS schema_migrations (
			number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied BIGINT NOT NULL)`).Error; err != nil {
			return err
		}
		var applied []appliedMigration
		if err := tx.Order("number").Limit(10_000).Find(&applied).Error; err != nil {
			return err
		}
		known := Migrations()
		for _, a := range applied {
			if !slices.ContainsFunc(known, func(m Migration) bool { return m.Number == a.Number && m.Name == a.Name }) {
				return fmt.Errorf("%w: it has the schema step %d %q, which this program does not know; start it with the version that wrote it, or restore a backup",
					ErrNewerSchema, a.Number, a.Name)
			}
		}
		for _, m := range known {
			if slices.ContainsFunc(applied, func(a appliedMigration) bool { return a.Number == m.Number }) {
				continue
			}
			if err := m.up(tx.Set(engineKey, e)); err != nil {
				return fmt.Errorf("step %d %s: %w", m.Number, m.Name, err)
			}
			if err := tx.Create(&appliedMigration{m.Number, m.Name, time.Now().Unix()}).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("db: preparing the schema: %w", Translate(err))
	}
	return nil
}

const engineKey = "vitrine:engine"

// Create runs the statements of a migration, written in the words of SQLite (BLOB,
// CHAR(n), TEXT), in those of the database that tx is of.
func Create(tx *gorm.DB, statements ...string) error {
	e, ok := tx.Get(engineKey)
	if !ok {
		panic("db: Create outside of a migration")
	}
	for _, s := range statements {
		if err := tx.Exec(e.(engine).column(s)).Error; err != nil {
			return err
		}
	}
	return nil
}
