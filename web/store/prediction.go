package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Prediction is one answer of a model. Input, Picture, Clear and Output are sealed;
// Clear is there only where the rule let the model see more than what is stored.
// LabelIndex is a keyed hash of the best label, so that equal labels can be found
// without the table holding one; erasing a person empties it with the rest.
type Prediction struct {
	ID           string `gorm:"primaryKey"`
	Workspace    string
	Created      int64
	Actor        string
	Subject      string
	ModelName    string
	ModelVersion string
	ModelDigest  string
	Task         string
	Modality     string
	Purpose      string
	DataClass    string
	Input        []byte
	Picture      []byte
	Clear        []byte
	Output       []byte
	LabelIndex   string
	Masked       int64
	Decision     string // JSON
	Event        string // ULID of the log entry
	Seconds      float64
}

// PredictionFilter restricts a list; zero fields match everything. After and Until
// are Unix milliseconds, After included.
type PredictionFilter struct {
	Model, Purpose, Actor string
	LabelIndexes          []string // any of them; nil = all, empty = none
	After, Until          int64
}

func (f PredictionFilter) apply(q *gorm.DB, workspace string) *gorm.DB {
	q = matchModel(q.Where("workspace = ?", workspace), f.Model)
	if f.Purpose != "" {
		q = q.Where("purpose = ?", f.Purpose)
	}
	if f.Actor != "" {
		q = q.Where("actor = ?", f.Actor)
	}
	if f.LabelIndexes != nil {
		q = q.Where("label_index IN ?", f.LabelIndexes)
	}
	if f.After != 0 {
		q = q.Where("created >= ?", f.After)
	}
	if f.Until != 0 {
		q = q.Where("created < ?", f.Until)
	}
	return q
}

// AddPrediction inserts a prediction.
func (s *Store) AddPrediction(ctx context.Context, p *Prediction) error { return s.add(ctx, p) }

// Prediction returns one prediction.
func (s *Store) Prediction(ctx context.Context, workspace, id string) (*Prediction, error) {
	return one[Prediction](s.db.Read(ctx).Where("workspace = ? AND id = ?", workspace, id))
}

// Predictions lists predictions without their pictures, newest first, starting behind the id before ("" =
// at the newest). more says whether further ones follow.
func (s *Store) Predictions(ctx context.Context, workspace string, f PredictionFilter, before string, n int) (list []Prediction, more bool, err error) {
	n = limit(n)
	q := f.apply(s.db.Read(ctx), workspace).Omit("clear", "picture")
	if before != "" {
		q = q.Where("id < ?", before)
	}
	if err := q.Order("id DESC").Limit(n + 1).Find(&list).Error; err != nil {
		return nil, false, fmt.Errorf("store: listing predictions: %w", err)
	}
	if len(list) > n {
		return list[:n], true, nil
	}
	return list, false, nil
}

// CountPredictions counts what Predictions would list in the end, and how many
// pieces of personal data were masked in them.
func (s *Store) CountPredictions(ctx context.Context, workspace string, f PredictionFilter) (n, masked int64, err error) {
	var sums struct{ N, Masked int64 }
	err = f.apply(s.db.Read(ctx).Model(&Prediction{}), workspace).
		Select("COUNT(*) AS n, COALESCE(SUM(masked), 0) AS masked").Scan(&sums).Error
	if err != nil {
		return 0, 0, fmt.Errorf("store: counting predictions: %w", err)
	}
	return sums.N, sums.Masked, nil
}
