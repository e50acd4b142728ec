package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// ReviewRequest asks people to look at an answer, or at one explanation of it.
type ReviewRequest struct {
	Explanation string `json:"explanation,omitempty" schema:"maxLength=26"`
	Reason      string `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
	RequestID   string `json:"-"`
}

// ReviewDecision is what a reviewer decides: confirm, or override with another label of
// the model where its answer is one label.
type ReviewDecision struct {
	Verdict   string `json:"verdict" schema:"list=review-verdicts"`
	Label     string `json:"label,omitempty" schema:"maxLength=200"`
	Reason    string `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
	RequestID string `json:"-"`
}

// ReviewView is one case of the review queue.
type ReviewView struct {
	ID          string     `json:"id"`
	Time        time.Time  `json:"time"`
	Prediction  string     `json:"prediction"`
	Explanation string     `json:"explanation,omitempty"`
	Model       string     `json:"model"`
	Actor       string     `json:"actor"`
	Cause       string     `json:"cause"` // asked, rule or gate
	Codes       []string   `json:"codes,omitempty"`
	Reason      string     `json:"reason,omitempty"` // of the one who asked
	State       string     `json:"state"`            // open, started, confirmed or overridden
	Reviewer    string     `json:"reviewer,omitempty"`
	Started     *time.Time `json:"started,omitempty"`
	Decided     *time.Time `json:"decided,omitempty"`
	Label       string     `json:"label,omitempty"` // the person's answer, of an override
	Comment     string     `json:"comment,omitempty"`
	Event       string     `json:"event,omitempty"` // of the decision
	// Labels are what an override may name; with one case only, for its reviewer.
	Labels []string `json:"labels,omitempty"`
	// Erased says that the sentences are gone with the person's key.
	Erased bool `json:"erased,omitempty"`
}

// ReviewList is one part of the queue, with how the reviews of the last 30 days went.
type ReviewList struct {
	Items   []ReviewView  `json:"items"`
	Next    string        `json:"next,omitempty"`
	Figures ReviewFigures `json:"figures"`
	Own     ReviewFigures `json:"own"`
}

// ReviewFigures measure human oversight over the last 30 days. A high agreement together
// with short times may mean that people only nod (automation bias).
type ReviewFigures struct {
	Waiting    int64      `json:"waiting"`
	Oldest     *time.Time `json:"oldest,omitempty"`
	Confirmed  int64      `json:"confirmed"`
	Overridden int64      `json:"overridden"`
	Agreement  *float64   `json:"agreement,omitempty"`    // confirmed of all decided, 0 to 1
	Seconds    *float64   `json:"mean_seconds,omitempty"` // between start and decision
	Quick      int64      `json:"quick"`                  // decided in less than ten seconds
}

// quickReview is the time under which a decision counts as a glance.
const quickReview = 10 * time.Second

// reviewDays is how far the figures look back.
const reviewDays = 30

func at(milli int64) *time.Time {
	if milli == 0 {
		return nil
	}
	t := time.UnixMilli(milli).UTC()
	return &t
}

func (a *App) reviewView(ctx context.Context, r *store.Review) (*ReviewView, error) {
	v := &ReviewView{ID: r.ID, Time: time.UnixMilli(r.Created).UTC(), Prediction: r.Prediction, Explanation: r.Explanation, Model: r.ModelName, Actor: r.Actor,
		Cause: r.Cause, State: r.State, Reviewer: r.Reviewer, Started: at(r.Started), Decided: at(r.Decided), Event: r.Event}
	if err := json.Unmarshal([]byte(r.Codes), &v.Codes); err != nil {
		return nil, fmt.Errorf("app: reading review %s: %w", r.ID, err)
	}
	if r.Wish != nil {
		wish, err := a.unseal(ctx, place{r.Subject, r.ID, "wish"}, r.Wish)
		if v.Erased = errors.Is(err, ErrInputNotKept); err != nil && !v.Erased {
			return nil, err
		}
		v.Reason = string(wish)
	}
	if r.Verdict != nil && !v.Erased {
		raw, err := a.unseal(ctx, place{r.Subject, r.ID, "verdict"}, r.Verdict)
		if v.Erased = errors.Is(err, ErrInputNotKept); v.Erased {
			return v, nil
		}
		var said sealedVerdict
		if err := errors.Join(err, json.Unmarshal(raw, &said)); err != nil {
			return nil, fmt.Errorf("app: reading review %s: %w", r.ID, err)
		}
		v.Label, v.Comment = said.Label, said.Reason
	}
	return v, nil
}

// Reviews lists the cases that wait, oldest first, or those decided, newest first.
func (a *App) Reviews(ctx context.Context, c identity.Caller, decided bool, p Page) (*ReviewList, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.ReviewDecide, denied: "REVIEW.READ.DENIED"}); err != nil {
		return nil, err
	}
	if p.Before != "" {
		if _, err := ulid.ParseStrict(p.Before); err != nil {
			return nil, fail(ErrInput, "use the cursor that the part before ended with", "the cursor is not one of this list's")
		}
	}
	rows, more, err := a.store.Reviews(ctx, a.workspace, decided, p.Before, p.Limit)
	if err != nil {
		return nil, err
	}
	list := &ReviewList{Items: []ReviewView{}}
	for i := range rows {
		v, err := a.reviewView(ctx, &rows[i])
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, *v)
	}
	if more {
		list.Next = rows[len(rows)-1].ID
	}
	if list.Figures, err = a.reviewFigures(ctx, ""); err != nil {
		return nil, err
	}
	list.Own, err = a.reviewFigures(ctx, c.ID)
	return list, err
}

func (a *App) reviewFigures(ctx context.Context, reviewer string) (ReviewFigures, error) {
	f, err := a.store.FiguresOfReviews(ctx, a.workspace, reviewer, a.now().AddDate(0, 0, -reviewDays).UnixMilli(), quickReview.Milliseconds())
	v := ReviewFigures{Waiting: f.Waiting, Oldest: at(f.Oldest), Confirmed: f.Confirmed, Overridden: f.Overridden, Quick: f.Quick}
	if n := f.Confirmed + f.Overridden; n > 0 {
		agreement, seconds := float64(f.Confirmed)/float64(n), float64(f.Task)/float64(n)/1000
		v.Agreement, v.Seconds = &agreement, &seconds
	}
	return v, err
}

// Review returns one case, for somebody who may decide it.
func (a *App) Review(ctx context.Context, c identity.Caller, id string) (*ReviewView, error) {
	row, of, _, err := a.reviewable(ctx, c, id, "REVIEW.READ.DENIED")
	if err != nil {
		return nil, err
	}
	v, err := a.reviewView(ctx, row)
	if err == nil && row.State == store.ReviewStarted && row.Reviewer == c.ID {
		v.Labels, err = a.overrides(ctx, of)
	}
	return v, err
}

// reviewsOf are the reviews of a prediction as whoever may read it sees them.
func (a *App) reviewsOf(ctx context.Context, prediction string) ([]ReviewView, error) {
	rows, err := a.store.ReviewsOf(ctx, a.workspace, prediction)
	if err != nil {
		return nil, err
	}
	var list []ReviewView
	for i := range rows {
		v, err := a.reviewView(ctx, &rows[i])
		if err != nil {
			return nil, err
		}
		list = append(list, *v)
	}
	return list, nil
}
