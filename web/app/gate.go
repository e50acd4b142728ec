package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"vitrine/explain"
	"vitrine/explain/faithfulness"
	"vitrine/explain/gate"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// GateView is what the gate of the policy said of an explanation. It is part of the
// record.
type GateView struct {
	Rule    policy.Gate   `json:"rule"`
	Passed  bool          `json:"passed"`
	Action  string        `json:"action,omitempty"` // warn, fall-back, review or withhold; "" = passed
	Next    string        `json:"next,omitempty"`   // the method that was tried instead
	Reasons []gate.Reason `json:"reasons,omitempty"`
	// After is the explanation in whose place this one was made.
	After string `json:"after,omitempty"`
	// Open lets the reader at hand see what waits for review.
	Open bool `json:"-"`
}

// Held says that the reader at hand does not see the values.
func (g *GateView) Held() bool {
	return g != nil && !g.Open && (g.Action == policy.GateFallBack || g.Action == policy.GateReview || g.Action == policy.GateWithhold)
}

// codes are what was missed, each word once.
func (g *GateView) codes() (out []string) {
	for _, r := range g.Reasons {
		if !slices.Contains(out, r.Code) {
			out = append(out, r.Code)
		}
	}
	return out
}

// gate applies the rule's gate to an explanation: the one place where that happens. It
// is nil where the rule has none. tried are the methods that fell short before, after the
// explanation of the last of them.
func (a *App) gate(ctx context.Context, w *run, e *explain.Explanation, tried []string, after string) (*GateView, error) {
	rule := w.explained.Obligations.Gate
	if rule == nil {
		return nil, nil
	}
	m, ok := explain.Lookup(e.Method)
	if !ok {
		return nil, fmt.Errorf("app: no method %q", e.Method)
	}
	sanity, err := a.passedSanity(ctx, e.Info.Digest, m)
	if err != nil {
		return nil, err
	}
	r := gate.Rule{MaxGap: rule.MaxGap, Better: rule.Better, MaxP: rule.MaxP, MinAgreement: rule.MinAgreement, Sanity: rule.Sanity, Action: rule.Action,
		Next: a.fallbacks(w, e.Info, rule.Next)}
	d := gate.Decide(r, gate.Evidence{Method: e.Method, Complete: m.Complete, Figures: e.Metrics, Sanity: sanity, Tried: tried})
	return &GateView{Rule: *rule, Passed: d.Passed, Action: d.Action, Next: d.Next, Reasons: d.Reasons, After: after}, nil
}

// fallbacks are the methods that suit the model and that the policy lets this caller use.
func (a *App) fallbacks(w *run, info inference.Info, list []string) (out []string) {
	for _, id := range list {
		m, ok := explain.Lookup(id)
		if !ok {
			continue
		}
		if fits, _ := suits(info, m); fits && a.mayFallBack(w, id).Allow {
			out = append(out, id)
		}
	}
	return out
}

func (a *App) mayFallBack(w *run, method string) policy.Decision {
	pc := w.context
	pc.Method = method
	return a.decide(ask{caller: w.caller, action: policy.Explain, object: "model:" + w.row.Name, context: pc})
}

// passedSanity is the outcome of the randomisation check of a method, made here or
// shipped with the program for these very weights; nil where none was made.
func (a *App) passedSanity(ctx context.Context, digest string, m explain.Method) (*bool, error) {
	c, err := a.store.SanityCheck(ctx, a.workspace, digest, m.ID, m.Version)
	if errors.Is(err, store.ErrNotFound) {
		if s := shippedSanity(digest, m); s != nil {
			return &s.Passed, nil
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	passed := c.Passed == 1
	return &passed, nil
}

// shippedSanity is the check in the program's own faithfulness table of a model.
func shippedSanity(digest string, m explain.Method) *explain.Sanity {
	t, ok := faithfulness.Shipped(digest)
	if !ok {
		return nil
	}
	for _, r := range t.Methods {
		if r.Method == m.ID && r.Version == m.Version {
			return r.Sanity
		}
	}
	return nil
}

// openHeld lets the reader at hand see an explanation that the gate sent to review: a
// reviewer, and once a reviewer has confirmed it, everybody.
func (a *App) openHeld(ctx context.Context, c identity.Caller, row *store.Prediction, v *ExplanationView) error {
	if v.Gate == nil || v.Gate.Action != policy.GateReview {
		return nil
	}
	v.Gate.Open = a.decide(ask{caller: c, action: policy.ReviewDecide, object: "prediction:" + row.ID, context: madeFor(row)}).Allow
	if v.Gate.Open {
		return nil
	}
	reviews, err := a.store.ReviewsOf(ctx, a.workspace, row.ID)
	for _, r := range reviews {
		if r.Explanation == v.ID && r.Decided > 0 {
			v.Gate.Open = r.State == store.ReviewConfirmed // the last decision counts
		}
	}
	return err
}

// hold keeps back everything that a held explanation found; why stays.
func hold(v *ExplanationView) {
	v.Level = policy.LevelNone
	v.Token, v.Map, v.Attention, v.Companion, v.Words, v.Record, v.Metrics = nil, nil, nil, nil, nil, nil, []MetricView{}
	v.Output, v.BaselineOutput, v.Delta = 0, 0, 0
	v.Withheld = []string{"attributions", "output", "baseline_output", "delta", "metrics", "record", "attention", "words"}
}

// requestHash names everything that an explanation of one prediction depends on: the
// same hash is the same explanation, and is not computed again.
func requestHash(w *run, digest string, r ExplainRequest) (string, error) {
	m, ok := explain.Lookup(r.Method)
	if !ok {
		return "", fmt.Errorf("app: no method %q", r.Method)
	}
	params, err := m.Resolve(r.Params)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(struct {
		Digest, Engine, Method, Version, Target string
		Params                                  map[string]any
		Seed                                    uint64
		Gate                                    *policy.Gate
		Answer                                  int `json:",omitempty"`
	}{digest, inference.EngineVersion(), m.ID, m.Version, r.Target, params, r.Seed, w.explained.Obligations.Gate, r.Answer})
	if err != nil {
		return "", fmt.Errorf("app: naming a request: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// knownExplanation returns the stored explanation that answers the request, nil where there is none
// or where what it depends on has changed: the outcome of a randomisation check that the
// gate asks for.
func (a *App) knownExplanation(ctx context.Context, w *run, of *store.Prediction, hash string) (*ExplanationView, error) {
	row, err := a.store.ExplanationFor(ctx, a.workspace, of.ID, hash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := a.unsealExplanation(ctx, row)
	if err != nil {
		return nil, err
	}
	if g := v.Gate; g != nil && !g.Passed {
		// What was not there then may be now.
		for _, reason := range g.Reasons {
			if slices.Contains([]string{"no-sanity", "no-agreement"}, reason.Code) {
				return nil, nil
			}
		}
	}
	if v.Record, err = a.unseal(ctx, place{row.Subject, row.ID, "record"}, row.Record); err != nil {
		return nil, err
	}
	if v.Receipt, err = a.receiptOf(ctx, row.Event); err != nil {
		return nil, err
	}
	v.Cached = true
	return v, nil
}

// maxOthers is how many other explanations a new one is compared with.
const maxOthers = 8

// others are the stored explanations of the same target by other methods, the newest of
// each: the figure of agreement compares with them.
func (a *App) others(ctx context.Context, of *store.Prediction, r ExplainRequest, info inference.Info) ([]*explain.Explanation, error) {
	list, err := a.store.ExplanationsOf(ctx, a.workspace, of.ID)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	p, err := a.predictionView(ctx, of)
	if err != nil {
		return nil, err
	}
	var out []*explain.Explanation
	seen := map[string]bool{r.Method: true}
	for i := len(list) - 1; i >= 0 && len(out) < maxOthers; i-- {
		if seen[list[i].Method] {
			continue
		}
		row, err := a.store.Explanation(ctx, a.workspace, list[i].ID) // with its map
		if err != nil {
			return nil, err
		}
		v, err := a.unsealExplanation(ctx, row)
		if err != nil {
			return nil, err
		}
		if !sameTarget(v.Target, r.Target, best(p)) {
			continue
		}
		seen[v.Method] = true
		out = append(out, &explain.Explanation{Method: v.Method, Tokens: v.Tokens, Attributions: v.Token, Map: v.Map, ImageHeight: info.ImageHeight, ImageWidth: info.ImageWidth})
	}
	return out, nil
}

// sameTarget says whether a request would explain what was explained. predicted is the
// label that "" stands for.
func sameTarget(t ExplanationTarget, asked, predicted string) bool {
	if t.Minus != nil {
		return false
	}
	if t.Words > 0 {
		return asked == "" && t.Index < 0 || asked == strconv.Itoa(t.Index)
	}
	if asked == "" {
		return t.Token == nil && predicted != "" && t.Label == predicted
	}
	label, index := t.Label, strconv.Itoa(t.Index)
	if t.Token != nil {
		at := strconv.Itoa(*t.Token) + ":"
		label, index = at+label, at+index
	}
	return asked == label || asked == index
}
