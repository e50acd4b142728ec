package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"vitrine/web/db"
)

// Explanation is one explanation of a prediction. Result, Tensors and Record are sealed.
type Explanation struct {
	ID            string `gorm:"primaryKey"`
	Workspace     string
	Created       int64
	Prediction    string
	Subject       string
	Actor         string
	Method        string
	MethodVersion string
	Result        []byte
	Tensors       []byte // large values; nil where there are none
	Record        []byte
	RecordHash    string
	Decision      string // JSON
	Event         string // ULID of the log entry
	Seconds       float64
	Gate          string // what the gate did: warn, fall-back, review, withhold; "" = nothing was missed
	Request       string // SHA-256 of everything that was asked, hex
}

func init() {
	db.RegisterMigration(6, "explanations know their gate and what was asked", func(tx *gorm.DB) error {
		return db.Create(tx,
			`ALTER TABLE explanations ADD COLUMN gate VARCHAR(16) NOT NULL DEFAULT ''`,
			`ALTER TABLE explanations ADD COLUMN request VARCHAR(64) NOT NULL DEFAULT ''`,
			`CREATE INDEX explanations_request ON explanations (workspace, prediction, request)`,
			`CREATE TABLE sanity_checks (
				workspace CHAR(26) NOT NULL, digest CHAR(64) NOT NULL, method VARCHAR(64) NOT NULL, version VARCHAR(16) NOT NULL,
				created BIGINT NOT NULL, passed BIGINT NOT NULL, result TEXT NOT NULL,
				PRIMARY KEY (workspace, digest, method, version))`)
	})
}

// SanityCheck is the outcome of the randomisation check of one method on one model
// version. Passed is 0 or 1, Result the JSON of the check.
type SanityCheck struct {
	Workspace string
	Digest    string // of the model
	Method    string
	Version   string // of the method
	Created   int64
	Passed    int64
	Result    string
}

// AddSanityCheck keeps a check: [ErrExists] where there is one already.
func (s *Store) AddSanityCheck(ctx context.Context, c *SanityCheck) error { return s.add(ctx, c) }

// SanityCheck returns the check of a model and a method.
func (s *Store) SanityCheck(ctx context.Context, workspace, digest, method, version string) (*SanityCheck, error) {
	return one[SanityCheck](s.db.Read(ctx).Where("workspace = ? AND digest = ? AND method = ? AND version = ?", workspace, digest, method, version))
}

// SanityChecks lists the checks of a model, by method.
func (s *Store) SanityChecks(ctx context.Context, workspace, digest string) (list []SanityCheck, err error) {
	err = s.db.Read(ctx).Where("workspace = ? AND digest = ?", workspace, digest).Order("method, version").Limit(MaxPage).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing randomisation checks: %w", err)
	}
	return list, nil
}

// AddExplanation inserts an explanation.
func (s *Store) AddExplanation(ctx context.Context, e *Explanation) error { return s.add(ctx, e) }

// Explanation returns one explanation.
func (s *Store) Explanation(ctx context.Context, workspace, id string) (*Explanation, error) {
	return one[Explanation](s.db.Read(ctx).Where("workspace = ? AND id = ?", workspace, id))
}

// ExplanationFor returns the newest explanation of a prediction that answers a request.
func (s *Store) ExplanationFor(ctx context.Context, workspace, prediction, request string) (*Explanation, error) {
	return one[Explanation](s.db.Read(ctx).Where("workspace = ? AND prediction = ? AND request = ?", workspace, prediction, request).Order("id DESC"))
}

// ExplanationsOf lists the explanations of one prediction, oldest first, without
// their tensors and records.
func (s *Store) ExplanationsOf(ctx context.Context, workspace, prediction string) ([]Explanation, error) {
	var list []Explanation
	err := s.db.Read(ctx).Omit("record", "tensors").Where("workspace = ? AND prediction = ?", workspace, prediction).
		Order("id").Limit(MaxPage).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing explanations: %w", err)
	}
	return list, nil
}

// MethodsOf returns the methods that explained each of the given predictions.
func (s *Store) MethodsOf(ctx context.Context, workspace string, predictions []string) (map[string][]string, error) {
	var rows []struct{ Prediction, Method string }
	if len(predictions) > MaxPage {
		predictions = predictions[:MaxPage]
	}
	err := s.db.Read(ctx).Model(&Explanation{}).Distinct("prediction", "method").
		Where("workspace = ? AND prediction IN ?", workspace, predictions).
		Order("prediction, method").Limit(MaxPage * 50).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing methods: %w", err)
	}
	methods := map[string][]string{}
	for _, r := range rows {
		methods[r.Prediction] = append(methods[r.Prediction], r.Method)
	}
	return methods, nil
}

// CountExplanations counts the explanations made since a time (Unix milliseconds).
func (s *Store) CountExplanations(ctx context.Context, workspace string, after int64) (n int64, err error) {
	err = s.db.Read(ctx).Model(&Explanation{}).Where("workspace = ? AND created >= ?", workspace, after).Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("store: counting explanations: %w", err)
	}
	return n, nil
}
