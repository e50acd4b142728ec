package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/privacy"
	"vitrine/web/db"
	"vitrine/web/db/dbtest"
)

// TestModelSeesClear: with the obligation the model reads what was masked, what leaves
// is masked all the same, and the clear text is kept for whoever may reveal it.
func TestModelSeesClear(t *testing.T) {
	dir := t.TempDir()
	a := openApp(t, dir, true)
	ctx := context.Background()
	admin, analyst := caller(t, a, policy.Admin), caller(t, a, policy.Analyst)
	const secret = "good.canary@example.org"
	r := PredictRequest{Model: textModel, Text: text("Mail " + secret + " is a good address, thanks."), Explain: &ExplainRequest{Method: "saliency"}}
	masked := predict(t, a, analyst, r)
	p, err := a.Policy(ctx, admin)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.ChangePolicy(ctx, admin, PolicyChange{Base: p.Version, Reason: "Addresses decide here.", Cells: []PolicyCell{{
		Role: policy.Analyst, Action: "predict", Effect: "allow", Obligations: &ObligationsChange{Mask: []string{"email"}, ModelSeesClear: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	clear := predict(t, a, analyst, r)
	if clear.Input.Text != masked.Input.Text || clear.Output.Labels[0].Logit == masked.Output.Labels[0].Logit {
		t.Fatalf("kept %q, logits %v and %v", clear.Input.Text, clear.Output.Labels, masked.Output.Labels)
	}
	hidden := 0
	for _, list := range [][]string{tokenTexts(clear), wordTexts(clear.Explanation)} {
		for _, s := range list {
			if strings.Contains(s, "canary") || strings.Contains(s, "@") {
				t.Errorf("%q leaves", s)
			}
			if s == placeholderToken {
				hidden++
			}
		}
	}
	if hidden == 0 {
		t.Error("no token is covered")
	}
	again, err := a.Explain(ctx, analyst, clear.ID, ExplainRequest{Method: "saliency"})
	if err != nil || string(again.Attributions) != string(clear.Explanation.Attributions) {
		t.Fatalf("explained again: %v", err)
	}
	officer := caller(t, a, policy.PrivacyOfficer)
	in, err := a.Reveal(ctx, officer, clear.ID, "The person asked for it.")
	if err != nil || !strings.Contains(in.Text, secret) {
		t.Fatalf("%+v %v", in, err)
	}
	if _, err := a.Reveal(ctx, officer, masked.ID, "The person asked for it."); !errors.Is(err, ErrInputNotKept) {
		t.Fatal(err)
	}
	_, err = a.Reveal(ctx, analyst, clear.ID, "I am curious.")
	denied(t, err)
	list := events(t, a)
	if count(list, "PREDICTION.REVEALED.OK") != 1 || count(list, "PREDICTION.REVEALED.DENIED") != 1 {
		t.Fatalf("%+v", list)
	}
	checkErasure(t, a, analyst, clear.ID)
}

// checkErasure: a person's erasure takes everything that was kept about them.
func checkErasure(t *testing.T, a *App, analyst identity.Caller, id string) {
	t.Helper()
	ctx := context.Background()
	row, err := a.store.Prediction(ctx, a.workspace, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.vault.Erase(ctx, a.workspace, row.Subject); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Prediction(ctx, analyst, id); !errors.Is(err, ErrInputNotKept) {
		t.Fatal(err)
	}
	if l, err := a.Predictions(ctx, analyst, PredictionQuery{}); err != nil || len(l.Items) != 2 || l.Items[0].Excerpt != "" {
		t.Fatalf("%+v %v", l, err)
	}
}

func tokenTexts(v *PredictionView) (list []string) {
	for _, x := range v.Tokens {
		list = append(list, x.Text)
	}
	for _, x := range v.Explanation.Tokens {
		list = append(list, x.Text)
	}
	return list
}

func wordTexts(e *ExplanationView) (list []string) {
	for _, x := range e.Words {
		list = append(list, x.Text)
	}
	return list
}

func TestOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	a := openApp(t, dir, true)
	ctx := context.Background()
	v := predict(t, a, a.Local(), PredictRequest{Model: textModel, Text: text("Good.")})
	if !a.db.Postgres() {
		if _, err := New(ctx, Config{Data: dir, OneShot: true}); !errors.Is(err, db.ErrLocked) {
			t.Fatal(err)
		}
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	a = openApp(t, dir, true)
	if got, err := a.Prediction(ctx, a.Local(), v.ID); err != nil || got.Output.Labels[0] != v.Output.Labels[0] || got.Receipt.Status != "included" {
		t.Fatalf("%+v %v", got, err)
	}
	if l, err := a.Predictions(ctx, a.Local(), PredictionQuery{Label: "positive"}); err != nil || l.Total != 1 || l.Items[0].Label != "positive" {
		t.Fatalf("%+v %v", l, err)
	}
	if l, err := a.Predictions(ctx, a.Local(), PredictionQuery{Label: "negative"}); err != nil || l.Total != 0 {
		t.Fatalf("%+v %v", l, err)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "keys", "root.key")
	kept, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	if _, err := New(ctx, Config{Data: dir, Database: dbtest.Address(t, dir), OneShot: true}); !errors.Is(err, privacy.ErrRootKey) {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); err == nil {
		t.Fatal("a second root key was made")
	}
	if err := os.WriteFile(root, []byte(strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(ctx, Config{Data: dir, Database: dbtest.Address(t, dir), OneShot: true}); !errors.Is(err, privacy.ErrRootKey) {
		t.Fatal(err)
	}
	if err := os.WriteFile(root, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	openApp(t, dir, true)
}

// TestOldDatabasePutBack: a database older than the last signed checkpoint takes no
// entries, so nothing that needs one happens, until the loss is accepted.
func TestOldDatabasePutBack(t *testing.T) {
	dir := t.TempDir()
	a := openFile(t, dir)
	ctx := context.Background()
	predict(t, a, a.Local(), PredictRequest{Model: textModel, Text: text("Good.")})
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, db.FileName)
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a = openFile(t, dir)
	predict(t, a, a.Local(), PredictRequest{Model: textModel, Text: text("Bad.")})
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	a = openFile(t, dir)
	if _, err := a.Predict(ctx, a.Local(), PredictRequest{Model: textModel, Text: text("Good.")}); !errors.Is(err, auditstore.ErrRolledBack) {
		t.Fatal(err)
	}
	d, err := a.VerifyLog(ctx, a.Local())
	if err != nil || d.OK || d.Problem != auditstore.RolledBack {
		t.Fatalf("%+v %v", d, err)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	a, err = New(ctx, Config{Data: dir, OneShot: true, AcceptRestore: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(ctx)
	predict(t, a, a.Local(), PredictRequest{Model: textModel, Text: text("Good.")})
	if count(events(t, a), "LOG.RESTORED.OK") != 1 {
		t.Fatal("the loss is not in the log")
	}
}

// TestBrokenPolicyRefusesEverything: a stored policy that is not what its hash says
// fails closed, and is not replaced by the shipped one.
func TestBrokenPolicyRefusesEverything(t *testing.T) {
	dir := t.TempDir()
	a := openApp(t, dir, true)
	ctx := context.Background()
	err := a.db.Write(ctx, func(ctx context.Context) error {
		var row struct{ Content []byte }
		if err := a.db.Tx(ctx).Table("policy_versions").Take(&row).Error; err != nil {
			return err
		}
		return a.db.Tx(ctx).Table("policy_versions").Where("number = 1").Update("content", bytes.ReplaceAll(row.Content, []byte("deny"), []byte("allow"))).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	a = openApp(t, dir, true)
	_, err = a.Predict(ctx, a.Local(), PredictRequest{Model: textModel, Text: text("Good.")})
	if d := denied(t, err); d.Decision.Reason != policy.ReasonUnavailable {
		t.Fatalf("%+v", d)
	}
	if h, err := a.health(ctx); err != nil || h.Size == 0 {
		t.Fatalf("%+v %v", h, err)
	}
}
