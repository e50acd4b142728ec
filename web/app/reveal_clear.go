package app

import (
	"context"
	"encoding/json"
	"fmt"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/privacy"
	"vitrine/web/store"
)

func (a *App) clearInput(ctx context.Context, row *store.Prediction) (*sealedInput, error) {
	raw, err := a.unseal(ctx, place{row.Subject, row.ID, "clear"}, row.Clear)
	if err != nil {
		return nil, err
	}
	var in sealedInput
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("app: reading the input of %s: %w", row.ID, err)
	}
	return &in, nil
}

// maxReason bounds a sentence that is committed to, in characters.
const maxReason = 500

// Reveal returns the clear text of a prediction whose rule kept it, and records that the
// caller saw it, with a commitment to the reason. ErrInputNotKept where only masked text
// was kept.
func (a *App) Reveal(ctx context.Context, c identity.Caller, id, reason string) (*InputView, error) {
	if n := len([]rune(reason)); n == 0 || n > maxReason {
		return nil, fail(ErrInput, "say in one sentence why", "a reason of 1 to %d characters is needed", maxReason)
	}
	row, d, err := a.onPrediction(ctx, id, ask{caller: c, action: policy.PredictionReveal, denied: "PREDICTION.REVEALED.DENIED"})
	if err != nil {
		return nil, err
	}
	if row.Clear == nil {
		return nil, fail(ErrInputNotKept, "a rule with model-sees-clear keeps it, for later predictions", "only the masked text of this prediction was kept")
	}
	key, err := a.subjectKey(ctx, row.Subject)
	if err != nil {
		return nil, err
	}
	in, err := a.clearInput(ctx, row)
	if err != nil {
		return nil, err
	}
	recordKey, err := audit.RecordKey(key, row.ID)
	if err != nil {
		return nil, err
	}
	_, err = a.log.Append(ctx, audit.Event{
		Code: "PREDICTION.REVEALED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.PredictionReveal), Object: "prediction:" + id,
		Decision: decisionLeaf(d), Commitments: map[string]string{"reason": audit.Commit(recordKey, "reason", []byte(reason))},
	})
	if err != nil {
		return nil, err
	}
	in.Kept, in.Bytes, in.Masked = true, len(in.Text), []privacy.Finding{}
	return &in.InputView, nil
}
