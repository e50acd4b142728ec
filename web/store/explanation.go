package store

import (
	"context"
	"fmt"
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
}

// AddExplanation inserts an explanation.
func (s *Store) AddExplanation(ctx context.Context, e *Explanation) error { return s.add(ctx, e) }

// Explanation returns one explanation.
func (s *Store) Explanation(ctx context.Context, workspace, id string) (*Explanation, error) {
	return one[Explanation](s.db.Read(ctx).Where("workspace = ? AND id = ?", workspace, id))
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
