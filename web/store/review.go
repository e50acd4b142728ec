package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"vitrine/web/db"
)

// States of a Review, a closed list.
const (
	ReviewOpen       = "open"
	ReviewStarted    = "started"
	ReviewConfirmed  = "confirmed"
	ReviewOverridden = "overridden"
)

// ErrReviewState: the review is not in the state that the step needs.
var ErrReviewState = errors.New("store: the review was decided already")

// Review is one answer, or one explanation of it, that a person looks at. Wish (why it
// was sent) and Verdict (what the reviewer said) are sealed with the key of the person
// concerned. Cause is a closed code, Codes a JSON list of the figures that fell short.
type Review struct {
	ID          string `gorm:"primaryKey"`
	Workspace   string
	Created     int64
	Prediction  string
	Explanation string // "" = the answer itself
	Subject     string
	ModelName   string
	Actor       string // who asked, or whose request was sent here
	Maker       string // who made the prediction: never its reviewer
	Cause       string
	Codes       string
	Wish        []byte
	State       string
	Reviewer    string
	Started     int64 // 0 = nobody yet
	Decided     int64
	Verdict     []byte
	Event       string // ULID of the log entry of the decision, "" = none yet
}

func init() {
	db.RegisterMigration(4, "reviews", func(tx *gorm.DB) error {
		return db.Create(tx,
			`CREATE TABLE reviews (
				id CHAR(26) PRIMARY KEY, workspace CHAR(26) NOT NULL, created BIGINT NOT NULL,
				prediction CHAR(26) NOT NULL REFERENCES predictions (id), explanation VARCHAR(26) NOT NULL, subject VARCHAR(64) NOT NULL,
				model_name VARCHAR(128) NOT NULL, actor VARCHAR(64) NOT NULL, maker VARCHAR(64) NOT NULL,
				cause VARCHAR(32) NOT NULL, codes TEXT NOT NULL, wish BLOB,
				state VARCHAR(16) NOT NULL, reviewer VARCHAR(64) NOT NULL, started BIGINT NOT NULL, decided BIGINT NOT NULL,
				verdict BLOB, event VARCHAR(26) NOT NULL)`,
			`CREATE INDEX reviews_state ON reviews (workspace, state, id)`,
			`CREATE INDEX reviews_prediction ON reviews (workspace, prediction, id)`,
			`CREATE INDEX reviews_decided ON reviews (workspace, decided)`,
		)
	})
}

// AddReview inserts a review.
func (s *Store) AddReview(ctx context.Context, r *Review) error { return s.add(ctx, r) }

// Review returns one review.
func (s *Store) Review(ctx context.Context, workspace, id string) (*Review, error) {
	return one[Review](s.db.Read(ctx).Where("workspace = ? AND id = ?", workspace, id))
}

// ReviewsOf lists the reviews of one prediction, oldest first.
func (s *Store) ReviewsOf(ctx context.Context, workspace, prediction string) (list []Review, err error) {
	err = s.db.Read(ctx).Where("workspace = ? AND prediction = ?", workspace, prediction).Order("id").Limit(MaxPage).Find(&list).Error
	if err != nil {
		return nil, fmt.Errorf("store: listing reviews: %w", err)
	}
	return list, nil
}

// WaitingReview returns the undecided review of a prediction, or of one explanation of
// it: ErrNotFound when there is none. It reads inside a write where ctx carries one.
func (s *Store) WaitingReview(ctx context.Context, workspace, prediction, explanation string) (*Review, error) {
	q := s.db.Read(ctx)
	if s.db.InWrite(ctx) {
		q = s.db.Tx(ctx)
	}
	return one[Review](q.Where("workspace = ? AND prediction = ? AND explanation = ? AND state IN ?", workspace, prediction, explanation, []string{ReviewOpen, ReviewStarted}))
}

// Reviews lists those that wait, oldest first, or those decided, newest first, behind the
// given id. more says whether further ones follow.
func (s *Store) Reviews(ctx context.Context, workspace string, decided bool, behind string, n int) (list []Review, more bool, err error) {
	n = limit(n)
	q := s.db.Read(ctx).Where("workspace = ?", workspace)
	states, order, step := []string{ReviewOpen, ReviewStarted}, "id", "id > ?"
	if decided {
		states, order, step = []string{ReviewConfirmed, ReviewOverridden}, "id DESC", "id < ?"
	}
	if behind != "" {
		q = q.Where(step, behind)
	}
	if err := q.Where("state IN ?", states).Order(order).Limit(n + 1).Find(&list).Error; err != nil {
		return nil, false, fmt.Errorf("store: listing reviews: %w", err)
	}
	if len(list) > n {
		return list[:n], true, nil
	}
	return list, false, nil
}

// MoveReview takes a review from one of the states to r.State, with its reviewer, times,
// verdict and event. ErrReviewState when it is in another state by now.
func (s *Store) MoveReview(ctx context.Context, r *Review, from ...string) error {
	got := s.db.Tx(ctx).Model(&Review{}).Where("workspace = ? AND id = ? AND state IN ?", r.Workspace, r.ID, from).
		Select("state", "reviewer", "started", "decided", "verdict", "event").Updates(r)
	if got.Error != nil {
		return fmt.Errorf("store: deciding a review: %w", got.Error)
	}
	if got.RowsAffected == 0 {
		return ErrReviewState
	}
	return nil
}

// ReviewFigures says how a workspace's reviews went since a time (Unix milliseconds).
type ReviewFigures struct {
	Waiting, Oldest       int64 // now; Oldest is a time, 0 = none waits
	Confirmed, Overridden int64
	Task                  int64 // milliseconds between start and decision, all together
	Quick                 int64 // decided within quick milliseconds
}

// FiguresOfReviews counts. quick is the time in milliseconds under which a decision
// counts as a glance; reviewer "" is everybody.
func (s *Store) FiguresOfReviews(ctx context.Context, workspace, reviewer string, after, quick int64) (f ReviewFigures, err error) {
	err = s.db.Read(ctx).Model(&Review{}).Select("COUNT(*) AS waiting, COALESCE(MIN(created), 0) AS oldest").
		Where("workspace = ? AND state IN ?", workspace, []string{ReviewOpen, ReviewStarted}).Scan(&f).Error
	if err != nil {
		return f, fmt.Errorf("store: counting reviews: %w", err)
	}
	q := s.db.Read(ctx).Model(&Review{}).Where("workspace = ? AND decided >= ? AND decided > 0", workspace, after)
	if reviewer != "" {
		q = q.Where("reviewer = ?", reviewer)
	}
	var sums ReviewFigures
	err = q.Select(`COALESCE(SUM(CASE WHEN state = 'confirmed' THEN 1 ELSE 0 END), 0) AS confirmed,
		COALESCE(SUM(CASE WHEN state = 'overridden' THEN 1 ELSE 0 END), 0) AS overridden,
		COALESCE(SUM(decided - started), 0) AS task,
		COALESCE(SUM(CASE WHEN decided - started < ? THEN 1 ELSE 0 END), 0) AS quick`, quick).Scan(&sums).Error
	if err != nil {
		return f, fmt.Errorf("store: counting reviews: %w", err)
	}
	sums.Waiting, sums.Oldest = f.Waiting, f.Oldest
	return sums, nil
}
