// Package store keeps predictions, explanations, models, reviews and exports in the
// database.
//
// What a person wrote and what a model answered is stored sealed: the store sees
// bytes that the caller encrypted with the key of the person concerned. Every table
// carries the workspace, every list is read by keyset and has a limit.
package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"vitrine/web/db"
)

// MaxPage is the most rows that one call returns.
const MaxPage = 200

var (
	// ErrNotFound: no row of this workspace has the id.
	ErrNotFound = errors.New("store: not found")
	// ErrExists: a row with that name is there already.
	ErrExists = errors.New("store: exists already")
)

// Store reads and writes the tables of one database. Methods that write are called
// inside db.Write, with its context.
type Store struct{ db *db.DB }

// New returns the store over d.
func New(d *db.DB) *Store { return &Store{d} }

// limit brings a page size into 1…MaxPage; 0 means 50.
func limit(n int) int {
	switch {
	case n <= 0:
		return 50
	case n > MaxPage:
		return MaxPage
	}
	return n
}

// one reads exactly one row into a T.
func one[T any](q *gorm.DB) (*T, error) {
	var row T
	if err := q.Take(&row).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, ErrNotFound
	} else if err != nil {
		return nil, fmt.Errorf("store: reading: %w", err)
	}
	return &row, nil
}

// add inserts a row.
func (s *Store) add(ctx context.Context, row any) error {
	if err := s.db.Tx(ctx).Create(row).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
		return fmt.Errorf("%w: %w", ErrExists, err)
	} else if err != nil {
		return fmt.Errorf("store: writing: %w", err)
	}
	return nil
}
