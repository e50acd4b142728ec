package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"vitrine/web/db"
)

// Task is long work that somebody asked for: what a job of the queue does, how far it is
// and what came of it. Request and Result are sealed with the key of the one who asked,
// Problem is a closed code.
type Task struct {
	ID         string `gorm:"primaryKey"`
	Workspace  string
	Created    int64
	Started    int64 // 0 = not yet
	Finished   int64
	Actor      string
	Auth       string // how the actor had signed in
	Kind       string
	Model      string // name@version
	Prediction string // "" = none
	Method     string
	Status     string // as of an Export
	Done       int64
	Total      int64
	Request    []byte
	Result     []byte // nil = none
	Object     string // id of what was made, "" = none
	Problem    string
	Job        int64 // River's number; 0 = done at once
}

// TaskRow is what one row of a data set became. Outcome is sealed.
type TaskRow struct {
	Task    string `gorm:"primaryKey"`
	Row     int64  `gorm:"primaryKey"`
	Outcome []byte
}

func init() {
	db.RegisterMigration(7, "tasks", func(tx *gorm.DB) error {
		blob := "BLOB"
		if tx.Name() == "postgres" {
			blob = "BYTEA"
		}
		return db.Create(tx,
			`CREATE TABLE tasks (
				id CHAR(26) PRIMARY KEY, workspace CHAR(26) NOT NULL, created BIGINT NOT NULL, started BIGINT NOT NULL, finished BIGINT NOT NULL,
				actor VARCHAR(64) NOT NULL, auth VARCHAR(16) NOT NULL, kind VARCHAR(32) NOT NULL, model VARCHAR(200) NOT NULL,
				prediction VARCHAR(26) NOT NULL, method VARCHAR(64) NOT NULL,
				status VARCHAR(16) NOT NULL, done BIGINT NOT NULL, total BIGINT NOT NULL,
				request `+blob+`, result `+blob+`, object VARCHAR(64) NOT NULL, problem VARCHAR(64) NOT NULL, job BIGINT NOT NULL)`,
			`CREATE INDEX tasks_page ON tasks (workspace, id)`,
			`CREATE INDEX tasks_actor ON tasks (workspace, actor, id)`,
			`CREATE TABLE task_rows (
				task CHAR(26) NOT NULL REFERENCES tasks (id), row BIGINT NOT NULL, outcome `+blob+` NOT NULL, PRIMARY KEY (task, row))`)
	})
}

// AddTask inserts a task.
func (s *Store) AddTask(ctx context.Context, t *Task) error { return s.add(ctx, t) }

// SaveTask writes a task's state back; a cancelled one stays cancelled.
func (s *Store) SaveTask(ctx context.Context, t *Task) error {
	err := s.db.Tx(ctx).Model(&Task{}).Where("workspace = ? AND id = ? AND status <> ?", t.Workspace, t.ID, Cancelled).
		Select("started", "finished", "status", "done", "total", "request", "result", "object", "problem", "job").Updates(t).Error
	if err != nil {
		return fmt.Errorf("store: saving a task: %w", err)
	}
	return nil
}

// ProgressTask writes how far a task is; a task that ended keeps its state.
func (s *Store) ProgressTask(ctx context.Context, workspace, id string, done, total int64) error {
	err := s.db.Tx(ctx).Model(&Task{}).Where("workspace = ? AND id = ? AND status = ?", workspace, id, Running).
		Updates(map[string]any{"done": done, "total": total}).Error
	if err != nil {
		return fmt.Errorf("store: saving a task: %w", err)
	}
	return nil
}

// Task returns one task.
func (s *Store) Task(ctx context.Context, workspace, id string) (*Task, error) {
	return one[Task](s.db.Read(ctx).Where("workspace = ? AND id = ?", workspace, id))
}

// Tasks lists tasks without what they were asked and found, newest first, of one actor or
// ("") of all.
func (s *Store) Tasks(ctx context.Context, workspace, actor, before string, n int) (list []Task, more bool, err error) {
	n = limit(n)
	q := s.db.Read(ctx).Omit("request", "result").Where("workspace = ?", workspace)
	if actor != "" {
		q = q.Where("actor = ?", actor)
	}
	if before != "" {
		q = q.Where("id < ?", before)
	}
	if err := q.Order("id DESC").Limit(n + 1).Find(&list).Error; err != nil {
		return nil, false, fmt.Errorf("store: listing tasks: %w", err)
	}
	if len(list) > n {
		return list[:n], true, nil
	}
	return list, false, nil
}

// AbandonedTasks returns up to n tasks that no job does and nobody finished: after a
// start, those that an earlier process was doing.
func (s *Store) AbandonedTasks(ctx context.Context, workspace string, n int) (list []Task, err error) {
	err = s.db.Read(ctx).Where("workspace = ? AND job = 0 AND status IN ?", workspace, []string{Queued, Running}).Order("id").Limit(limit(n)).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing tasks: %w", err)
	}
	return list, nil
}

// AddTaskRow keeps what one row became.
func (s *Store) AddTaskRow(ctx context.Context, r *TaskRow) error { return s.add(ctx, r) }

// TaskRows lists rows of a task from the given one on, in order.
func (s *Store) TaskRows(ctx context.Context, task string, from int64, n int) (list []TaskRow, err error) {
	err = s.db.Read(ctx).Where("task = ? AND row >= ?", task, from).Order("row").Limit(limit(n)).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing the rows of a task: %w", err)
	}
	return list, nil
}
