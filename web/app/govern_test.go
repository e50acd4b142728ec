package app

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitrine/audit/report"
	"vitrine/policy"
	"vitrine/policy/identity"
)

func TestRefusalsAreRecordedAndPacked(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	v := predict(t, a, c, PredictRequest{Model: textModel, Text: text("Thank you."), Purpose: "customer-support"})
	_, err := a.Explain(ctx, c, v.ID, ExplainRequest{Method: "attention"})
	d := denied(t, err)
	if d.Decision.Rule == nil || d.Decision.Rule.ID != "r-902" || d.Receipt.Event == "" {
		t.Fatalf("%+v", d)
	}
	_, err = a.Predict(ctx, c, PredictRequest{Model: textModel, Text: text("A loan, please."), Purpose: "credit-scoring"})
	if d := denied(t, err); d.Decision.Rule.ID != "r-901" {
		t.Fatalf("%+v", d)
	}
	_, err = a.AuditEvents(ctx, c, EventQuery{})
	if d := denied(t, err); d.Decision.Nearest == nil || len(d.Decision.Lacked) == 0 {
		t.Fatalf("%+v", d)
	}
	x, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: "pack"})
	if err != nil {
		t.Fatal(err)
	}
	f, view, err := a.ExportFile(ctx, a.Local(), x.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(f)
	f.Close()
	if int64(len(raw)) != view.Bytes {
		t.Fatalf("%d bytes, %d said", len(raw), view.Bytes)
	}
	path := filepath.Join(t.TempDir(), "pack.zip")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	checkPack(t, path, x.Total, 3)
	list := events(t, a)
	for code, want := range map[string]int{"EXPLANATION.MADE.DENIED": 1, "PREDICTION.MADE.DENIED": 1, "AUDIT.READ.DENIED": 1, "EXPORT.MADE.OK": 1, "EXPORT.READ.OK": 1} {
		if got := count(list, code); got != want {
			t.Errorf("%d entries %s, want %d", got, code, want)
		}
	}
}

func TestReadersAreHeldToTheirRules(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	v := predict(t, a, caller(t, a, policy.Analyst), PredictRequest{Model: textModel, Text: text("The film was not bad, and the seats were good."),
		Explain: &ExplainRequest{Method: "integrated-gradients"}})
	for role, level := range map[string]string{policy.Auditor: policy.LevelSigns, policy.Reviewer: policy.LevelRounded} {
		x, err := a.Explanation(ctx, caller(t, a, role), v.Explanation.ID)
		if err != nil {
			t.Fatal(err)
		}
		if x.Level != level || x.Record != nil || len(x.Withheld) == 0 {
			t.Errorf("%s sees %+v", role, x)
		}
		for _, value := range x.Token {
			if level == policy.LevelSigns && value != 0 && value != 1 && value != -1 {
				t.Errorf("an auditor sees %v", value)
			}
			if r := value * 100; level == policy.LevelRounded && abs(r-float64(int64(r+0.5*sign(r)))) > 1e-9 {
				t.Errorf("a reviewer sees %v", value)
			}
		}
	}
	outsider := identity.Caller{ID: "user:01JD0000000000000000000000", Roles: []string{policy.Admin}, Workspace: "01JD0000000000000000000009", Auth: "password"}
	if _, err := a.Prediction(ctx, outsider, v.ID); err == nil {
		t.Error("another workspace reads this one's prediction")
	}
}

func TestPolicyChangeIsEffectiveAtOnce(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	admin, analyst := caller(t, a, policy.Admin), caller(t, a, policy.Analyst)
	p, err := a.Policy(ctx, admin)
	if err != nil {
		t.Fatal(err)
	}
	change := PolicyChange{Base: p.Version, Reason: "Explanations wait for the review.", Cells: []PolicyCell{{Role: policy.Analyst, Action: "explain", Effect: "allow",
		Obligations: &ObligationsChange{Mask: []string{"email"}, ExplanationLevel: policy.LevelSigns, ForbidMethods: []string{"occlusion"}}}}}
	if _, err := a.ChangePolicy(ctx, analyst, change); err == nil {
		t.Fatal("an analyst changed the policy")
	} else {
		denied(t, err)
	}
	next, err := a.ChangePolicy(ctx, admin, change)
	if err != nil || next.Version != p.Version+1 || next.Versions[0].Reason != change.Reason {
		t.Fatalf("%+v %v", next, err)
	}
	v := predict(t, a, analyst, PredictRequest{Model: textModel, Text: text("Fine."), Explain: &ExplainRequest{Method: "saliency"}})
	if v.Explanation.Level != policy.LevelSigns {
		t.Fatalf("%+v", v.Explanation)
	}
	_, err = a.Explain(ctx, analyst, v.ID, ExplainRequest{Method: "occlusion"})
	if d := denied(t, err); d.Decision.Reason != policy.ReasonMethodForbidden {
		t.Fatalf("%+v", d)
	}
	if _, err := a.ChangePolicy(ctx, admin, change); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	lockout := PolicyChange{Base: next.Version, Reason: "x", Cells: []PolicyCell{{Role: policy.Admin, Action: "policy.edit", Effect: "deny"}}}
	if _, err := a.ChangePolicy(ctx, admin, lockout); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	list := events(t, a)
	if count(list, "POLICY.CHANGED.OK") != 1 || count(list, "POLICY.CHANGED.DENIED") != 1 || count(list, "POLICY.CREATED.OK") != 1 {
		t.Fatalf("%+v", list)
	}
}

func TestSignIn(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	const password = "quartz lantern 41 under the bridge"
	setup, err := a.SetupToken(ctx)
	if err != nil || setup == "" {
		t.Fatal(err)
	}
	token, c, err := a.Setup(ctx, setup, "Ada", password, "192.0.2.1")
	if err != nil || c.Auth != identity.AuthPassword {
		t.Fatal(err)
	}
	if _, _, err := a.Setup(ctx, setup, "Eve", password, "192.0.2.1"); !errors.Is(err, ErrSetup) {
		t.Fatal(err)
	}
	if again, err := a.SetupToken(ctx); err != nil || again != "" {
		t.Fatal("a set-up link with an administrator there", err)
	}
	if got, err := a.Session(ctx, token); err != nil || got.ID != c.ID {
		t.Fatal(err)
	}
	if _, _, err := a.SignIn(ctx, "Ada", "wrong", "192.0.2.1"); !errors.Is(err, ErrSignIn) {
		t.Fatal(err)
	}
	if err := a.SignOut(ctx, c); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Session(ctx, token); !errors.Is(err, ErrSession) {
		t.Fatal(err)
	}
	k, err := a.AddKey(ctx, c, "batch", []string{policy.Analyst}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	who, err := a.APIKey(ctx, k.Key, "192.0.2.1")
	if err != nil || who.ID != k.ID {
		t.Fatal(err)
	}
	predict(t, a, who, PredictRequest{Model: textModel, Text: text("Good.")})
	if err := a.DisableKey(ctx, c, k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.APIKey(ctx, k.Key, "192.0.2.1"); !errors.Is(err, ErrSession) {
		t.Fatal(err)
	}
	list := events(t, a)
	for code, want := range map[string]int{"SESSION.OPENED.OK": 1, "SESSION.OPENED.FAILED": 1, "SESSION.CLOSED.OK": 1, "USER.ADDED.OK": 1, "KEY.ADDED.OK": 1, "KEY.DISABLED.OK": 1} {
		if got := count(list, code); got != want {
			t.Errorf("%d entries %s, want %d", got, code, want)
		}
	}
	for _, e := range list {
		if strings.Contains(string(e.Leaf), "Ada") || strings.Contains(string(e.Leaf), "192.0.2") || strings.Contains(string(e.Leaf), "batch") {
			t.Errorf("a leaf names somebody: %s", e.Leaf)
		}
	}
}

// checkPack verifies an evidence pack as `vitrine verify` does.
func checkPack(t testing.TB, path string, entries, refusals int64) {
	t.Helper()
	r, err := report.VerifyPack(path, report.VerifyOptions{Redecider: &policy.Redecider{}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.Fine || r.Events != entries || r.Refusals != refusals {
		t.Fatalf("%+v", r)
	}
}
