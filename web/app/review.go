package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/privacy"
	"vitrine/web/store"
)

// Causes of a review, a closed list.
const (
	ReviewAsked = "asked" // somebody who may read the answer asked for it
	ReviewRule  = "rule"  // the rule that allowed the answer asks for it
	ReviewGate  = "gate"  // the explanation fell short of what the rule's gate asks
)

// Verdicts of a ReviewDecision.
const (
	VerdictConfirm  = "confirm"
	VerdictOverride = "override"
)

// ReviewCase is what goes to a person. The zero Explanation means the answer itself;
// Decision is the one that let the caller do what is sent; Codes are closed words that say
// what fell short; Wish is the sender's own sentence.
type ReviewCase struct {
	Caller      identity.Caller
	Request     string
	Decision    policy.Decision
	Prediction  *store.Prediction
	Explanation string
	Cause       string
	Codes       []string
	Wish        string
}

// SendToReview puts a case into the queue, with its log entry, and returns its id. It
// joins the write that ctx carries, so that an explanation that must be looked at is kept
// together with its place in the queue; with a Wish it is called outside of one. A case
// that waits already stays as it is.
func (a *App) SendToReview(ctx context.Context, r ReviewCase) (id string, err error) {
	codes, err := json.Marshal(append([]string{}, r.Codes...))
	if err != nil {
		return "", fmt.Errorf("app: encoding a review: %w", err)
	}
	row := &store.Review{
		ID: ulid.Make().String(), Workspace: a.workspace, Created: a.now().UnixMilli(), Prediction: r.Prediction.ID, Explanation: r.Explanation,
		Subject: r.Prediction.Subject, ModelName: r.Prediction.ModelName, Actor: r.Caller.ID, Maker: r.Prediction.Actor,
		Cause: r.Cause, Codes: string(codes), State: store.ReviewOpen,
	}
	e := audit.Event{
		Code: "REVIEW.ASKED.OK", Actor: r.Caller.ID, Auth: r.Caller.Auth, Request: r.Request, Action: string(r.Decision.Request.Action),
		Object: "review:" + row.ID, Decision: decisionLeaf(r.Decision), Model: predictionModel(r.Prediction), Purpose: r.Prediction.Purpose,
		Codes: map[string]string{"cause": r.Cause, "prediction": r.Prediction.ID},
	}
	if r.Explanation != "" {
		e.Codes["explanation"] = r.Explanation
	}
	if r.Wish != "" {
		if row.Wish, err = a.seal(ctx, place{row.Subject, row.ID, "wish"}, []byte(r.Wish)); err != nil {
			return "", err
		}
		if e.Commitments, err = a.commitments(ctx, row, map[string]string{"reason": r.Wish}); err != nil {
			return "", err
		}
	}
	id = row.ID
	err = a.db.Write(ctx, func(ctx context.Context) error {
		waiting, err := a.store.WaitingReview(ctx, a.workspace, row.Prediction, row.Explanation)
		if err == nil {
			id = waiting.ID
			return nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := a.store.AddReview(ctx, row); err != nil {
			return err
		}
		_, err = a.log.Append(ctx, e)
		return err
	})
	return id, err
}

func predictionModel(p *store.Prediction) *audit.Model {
	return &audit.Model{ID: p.ModelName, Version: p.ModelVersion, Digest: p.ModelDigest}
}

// commitments commits to sentences of a review with the key of the person concerned.
func (a *App) commitments(ctx context.Context, r *store.Review, values map[string]string) (map[string]string, error) {
	key, err := a.subjectKey(ctx, r.Subject)
	if err != nil {
		return nil, err
	}
	record, err := audit.RecordKey(key, r.ID)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, v := range values {
		out[name] = audit.Commit(record, name, []byte(v))
	}
	return out, nil
}

// sentence checks a reason and masks personal data in it: a reviewer's words are read by
// people who see masked inputs.
func sentence(s string) (string, error) {
	s = strings.TrimSpace(s)
	if n := len([]rune(s)); n == 0 || n > maxReason {
		return "", fail(ErrInput, "say in one sentence why", "a reason of 1 to %d characters is needed", maxReason)
	}
	s, _, _ = privacy.Mask(s, []string{privacy.All})
	return s, nil
}

// AskReview sends a prediction, or one explanation of it, to the reviewers: for whoever
// may read it. The reason is kept encrypted, and committed to in the log.
//
// Errors: [*Denied]; ErrNotFound; ErrInput; ErrInputNotKept.
func (a *App) AskReview(ctx context.Context, c identity.Caller, prediction string, r ReviewRequest) (*ReviewView, error) {
	row, d, err := a.readable(ctx, c, prediction)
	if err != nil {
		return nil, err
	}
	reason, err := sentence(r.Reason)
	if err != nil {
		return nil, err
	}
	if r.Explanation != "" {
		x, err := a.store.Explanation(ctx, a.workspace, r.Explanation)
		if err != nil || x.Prediction != row.ID {
			return nil, notFound("explanation of this prediction")
		}
	}
	id, err := a.SendToReview(ctx, ReviewCase{Caller: c, Request: requestID(r.RequestID), Decision: d, Prediction: row, Explanation: r.Explanation, Cause: ReviewAsked, Wish: reason})
	if err != nil {
		return nil, err
	}
	kept, err := a.store.Review(ctx, a.workspace, id)
	if err != nil {
		return nil, err
	}
	return a.reviewView(ctx, kept)
}

// reviewable reads a review for a caller who may decide it.
func (a *App) reviewable(ctx context.Context, c identity.Caller, id, denied string) (*store.Review, *store.Prediction, policy.Decision, error) {
	q := ask{caller: c, action: policy.ReviewDecide, denied: denied}
	row, err := (*store.Review)(nil), store.ErrNotFound
	if _, bad := ulid.ParseStrict(id); bad == nil {
		row, err = a.store.Review(ctx, a.workspace, id)
	}
	var of *store.Prediction
	if err == nil {
		if of, err = a.store.Prediction(ctx, a.workspace, row.Prediction); err != nil {
			return nil, nil, policy.Decision{}, err
		}
		q.object, q.context = "prediction:"+row.Prediction, madeFor(of)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, nil, policy.Decision{}, err
	}
	d, denial := a.allow(ctx, q)
	if denial != nil {
		return nil, nil, d, denial
	}
	if err != nil {
		return nil, nil, d, notFound("review")
	}
	return row, of, d, nil
}

// takeOver is how long a review that somebody started is theirs.
const takeOver = 30 * time.Minute

// StartReview gives a case to the caller; the time on task counts from here. The one who
// made the prediction does not review it, and a case that somebody else started less than
// half an hour ago is theirs: ErrConflict.
func (a *App) StartReview(ctx context.Context, c identity.Caller, id string) (*ReviewView, error) {
	row, of, d, err := a.reviewable(ctx, c, id, "REVIEW.DECIDED.DENIED")
	if err != nil {
		return nil, err
	}
	own, err := a.samePerson(ctx, c.ID, row.Maker)
	if err != nil {
		return nil, err
	}
	now := a.now()
	switch {
	case row.State == store.ReviewConfirmed || row.State == store.ReviewOverridden:
		return nil, fail(ErrConflict, "look at what was decided", "this review was decided already")
	case own:
		return nil, fail(ErrConflict, "leave it to another reviewer", "a prediction is reviewed by a second person, not by the one who made it")
	case row.State == store.ReviewStarted && row.Reviewer == c.ID:
		return a.reviewView(ctx, row)
	case row.State == store.ReviewStarted && now.Sub(time.UnixMilli(row.Started)) < takeOver:
		return nil, fail(ErrConflict, "take another one", "another reviewer has started this one")
	}
	row.State, row.Reviewer, row.Started = store.ReviewStarted, c.ID, now.UnixMilli()
	err = a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.store.MoveReview(ctx, row, store.ReviewOpen, store.ReviewStarted); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, audit.Event{Code: "REVIEW.STARTED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.ReviewDecide), Object: "review:" + row.ID,
			Decision: decisionLeaf(d), Model: predictionModel(of), Purpose: of.Purpose, Codes: map[string]string{"prediction": of.ID}})
		return err
	})
	if err != nil {
		return nil, reviewError(err)
	}
	return a.reviewView(ctx, row)
}

func reviewError(err error) error {
	if errors.Is(err, store.ErrReviewState) {
		return fail(ErrConflict, "look at what was decided", "this review was decided in between")
	}
	return err
}

// sealedVerdict is what a reviewer said, encrypted in the row.
type sealedVerdict struct {
	Label  string `json:"label,omitempty"`
	Reason string `json:"reason"`
}

// DecideReview confirms or overrides what the caller started to review. The model's answer
// stays as it was recorded; the person's answer stands beside it.
//
// Errors: [*Denied]; ErrNotFound; ErrConflict for a case that the caller has not started;
// ErrUnknownLabel for an override with no label of the model, or with the model's own.
func (a *App) DecideReview(ctx context.Context, c identity.Caller, id string, r ReviewDecision) (*ReviewView, error) {
	row, of, d, err := a.reviewable(ctx, c, id, "REVIEW.DECIDED.DENIED")
	if err != nil {
		return nil, err
	}
	reason, err := sentence(r.Reason)
	if err != nil {
		return nil, err
	}
	if row.State != store.ReviewStarted || row.Reviewer != c.ID {
		return nil, fail(ErrConflict, "start the review first", "you have not started this review, or it was decided")
	}
	if err := a.checkVerdict(ctx, of, r); err != nil {
		return nil, err
	}
	row.State = map[string]string{VerdictConfirm: store.ReviewConfirmed, VerdictOverride: store.ReviewOverridden}[r.Verdict]
	row.Decided, row.Event = a.now().UnixMilli(), ulid.Make().String()
	plain, err := json.Marshal(sealedVerdict{r.Label, reason})
	if err != nil {
		return nil, fmt.Errorf("app: encoding a verdict: %w", err)
	}
	if row.Verdict, err = a.seal(ctx, place{row.Subject, row.ID, "verdict"}, plain); err != nil {
		return nil, err
	}
	e := audit.Event{ID: row.Event, Code: "REVIEW.DECIDED.OK", Actor: c.ID, Auth: c.Auth, Request: requestID(r.RequestID), Action: string(policy.ReviewDecide),
		Object: "review:" + row.ID, Decision: decisionLeaf(d), Model: predictionModel(of), Purpose: of.Purpose,
		Human: &audit.Human{Reviewer: c.ID, Outcome: row.State},
		Codes: map[string]string{"cause": row.Cause, "prediction": of.ID}, Numbers: map[string]int64{"milliseconds": row.Decided - row.Started}}
	said := map[string]string{"reason": reason}
	if r.Verdict == VerdictOverride {
		e.Human.OverrideOf, said["label"] = of.ID, r.Label
	}
	if e.Commitments, err = a.commitments(ctx, row, said); err != nil {
		return nil, err
	}
	err = a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.store.MoveReview(ctx, row, store.ReviewStarted); err != nil {
			return err
		}
		_, err := a.log.Append(ctx, e)
		return err
	})
	if err != nil {
		return nil, reviewError(err)
	}
	return a.reviewView(ctx, row)
}

// checkVerdict holds a verdict against the model's labels.
func (a *App) checkVerdict(ctx context.Context, of *store.Prediction, r ReviewDecision) error {
	switch r.Verdict {
	case VerdictConfirm:
		if r.Label != "" {
			return fail(ErrInput, "leave the label out, or override", "a confirmed answer keeps the model's label")
		}
		return nil
	case VerdictOverride:
	default:
		return fail(ErrInput, "confirm or override it", "%q is not a verdict", clip(r.Verdict))
	}
	labels, err := a.overrides(ctx, of)
	if err != nil || len(labels) == 0 {
		return err // a task without labels: the reason says what is right
	}
	for _, l := range labels {
		if l == r.Label {
			return nil
		}
	}
	return fail(ErrUnknownLabel, "use one of "+strings.Join(labels, ", "), "an override names another label of the model")
}

// overrides are the labels that a person may put in the place of the model's best one;
// none for tasks whose answer is not one label.
func (a *App) overrides(ctx context.Context, of *store.Prediction) ([]string, error) {
	v, err := a.predictionView(ctx, of)
	if err != nil {
		return nil, err
	}
	best := best(v)
	if best == "" {
		return nil, nil
	}
	m, err := a.store.ModelByName(ctx, a.workspace, of.ModelName, of.ModelVersion)
	if err != nil {
		return nil, err
	}
	var all, out []string
	if err := json.Unmarshal([]byte(m.Labels), &all); err != nil {
		return nil, fmt.Errorf("app: reading the labels of %s: %w", m.Name, err)
	}
	for _, l := range all {
		if l != best {
			out = append(out, l)
		}
	}
	return out, nil
}
