package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/audit/report"
	"vitrine/inference/pretrained"
	"vitrine/policy"
	"vitrine/policy/identity"
)

const textModel, imageModel = "sentiment-minilm", "digits-resnet"

// openApp opens an App over a folder, a fresh one for "".
func openApp(t testing.TB, dir string, oneShot bool) *App {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	a, err := New(context.Background(), Config{Data: dir, OneShot: oneShot})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return a
}

// caller makes an account with one role and returns who it is.
func caller(t testing.TB, a *App, role string) identity.Caller {
	t.Helper()
	var u identity.User
	err := a.db.Write(context.Background(), func(ctx context.Context) (err error) {
		u, err = a.people.AddUser(ctx, a.workspace, "Test "+role, "", []string{role})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return identity.Caller{ID: u.ID, Name: u.Name, Roles: u.Roles, Workspace: a.workspace, Auth: identity.AuthPassword}
}

func text(s string) *string { return &s }

func predict(t testing.TB, a *App, c identity.Caller, r PredictRequest) *PredictionView {
	t.Helper()
	v, err := a.Predict(context.Background(), c, r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// events are the codes of the whole log, oldest first.
func events(t testing.TB, a *App) []EventView {
	t.Helper()
	ctx := context.Background()
	if err := a.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	var all []EventView
	for q := (EventQuery{Page: Page{Limit: 200}}); ; {
		list, err := a.AuditEvents(ctx, a.Local(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list.Items...)
		if list.Next == "" {
			break
		}
		q.Before = list.Next
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

func count(list []EventView, code string) (n int) {
	for _, e := range list {
		if e.Code == code {
			n++
		}
	}
	return n
}

func denied(t testing.TB, err error) *Denied {
	t.Helper()
	var d *Denied
	if !errors.As(err, &d) {
		t.Fatalf("not refused: %v", err)
	}
	return d
}

func TestTheOnePath(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	v := predict(t, a, c, PredictRequest{Model: textModel, Text: text("What a wonderful film."), Purpose: "research",
		Explain: &ExplainRequest{Method: "integrated-gradients"}})
	if v.Output.Labels[0].Label != "positive" || len(v.Tokens) != 7 || v.Decision.Effect != "allow" || v.Receipt.Status != "pending" {
		t.Fatalf("%+v", v)
	}
	e := v.Explanation
	sum := 0.0
	for _, x := range e.Token {
		sum += x
	}
	if len(e.Token) != 7 || abs(sum-(e.Output-e.BaselineOutput)-e.Delta) > 1e-6 || len(e.Record) == 0 || e.Level != policy.LevelFull || len(e.Metrics) < 3 {
		t.Fatalf("%+v", e)
	}
	again, err := a.Prediction(ctx, c, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if again.Output.Labels[0] != v.Output.Labels[0] || len(again.Explanations) != 1 || again.Explanations[0].ID != e.ID || again.Input.Text != "What a wonderful film." {
		t.Fatalf("%+v", again)
	}
	x, err := a.Explanation(ctx, c, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if string(x.Attributions) != string(e.Attributions) || !bytes.Equal(x.Record, e.Record) || len(x.Words) != len(e.Words) {
		t.Fatalf("the stored explanation differs: %+v", x)
	}
	// The same question later, of the stored prediction: the same bits.
	second, err := a.Explain(ctx, c, v.ID, ExplainRequest{Method: "integrated-gradients"})
	if err != nil {
		t.Fatal(err)
	}
	if string(second.Attributions) != string(e.Attributions) {
		t.Fatal("the same explanation gave other bits")
	}
	list := events(t, a)
	if count(list, "PREDICTION.MADE.OK") != 1 || count(list, "EXPLANATION.MADE.OK") != 2 {
		t.Fatalf("%+v", list)
	}
	r, err := a.Receipt(ctx, c, v.Receipt.Event)
	if err != nil || r.Status != "included" || r.Index == nil || r.Proof == "" {
		t.Fatalf("%+v %v", r, err)
	}
	d, err := a.AuditEvent(ctx, a.Local(), *r.Index)
	if err != nil || !d.Included || d.Computed != d.Root {
		t.Fatalf("%+v %v", d, err)
	}
}

func abs(x float64) float64 { return max(x, -x) }

func TestEveryMethodOnBothModels(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	pictures, err := pretrained.Examples(imageModel)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []PredictRequest{{Model: textModel, Text: text("The plot is thin, the actors are not.")}, {Model: imageModel, Image: pictures[0].Image}} {
		v := predict(t, a, a.Local(), r)
		methods, err := a.Methods(ctx, a.Local(), r.Model)
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		for _, m := range methods {
			e, err := a.Explain(ctx, a.Local(), v.ID, ExplainRequest{Method: m.ID})
			if !m.Suitable {
				if !errors.Is(err, ErrUnsuitable) {
					t.Errorf("%s on %s: %v", m.ID, r.Model, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s on %s: %v", m.ID, r.Model, err)
				continue
			}
			made++
			if got, err := a.Explanation(ctx, a.Local(), e.ID); err != nil || got.RecordHash != e.RecordHash {
				t.Errorf("%s on %s: %v", m.ID, r.Model, err)
			}
		}
		if made < 4 {
			t.Errorf("%d methods explain %s", made, r.Model)
		}
	}
}

// TestMaskedBeforeItIsKept: what a rule masks is nowhere: not in the answer, the model's
// tokens, the database, the log or an export.
func TestMaskedBeforeItIsKept(t *testing.T) {
	dir := t.TempDir()
	a := openApp(t, dir, true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	const canary, person = "canary.7f3a@example.org", "Person-Canary-9b"
	v := predict(t, a, c, PredictRequest{Model: textModel, Text: text("Please answer to " + canary + " or +49 30 901820, thank you."), Subject: person,
		Explain: &ExplainRequest{Method: "occlusion"}})
	if len(v.Input.Masked) != 2 || !strings.Contains(v.Input.Text, "[EMAIL]") || strings.Contains(v.Input.Text, "canary") {
		t.Fatalf("%+v", v.Input)
	}
	for _, tok := range v.Tokens {
		if strings.Contains(tok.Text, "canary") || strings.Contains(tok.Text, "7f3a") {
			t.Fatalf("the model saw %q", tok.Text)
		}
	}
	x, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: "jsonl"})
	if err != nil {
		t.Fatal(err)
	}
	if x.Done != x.Total || x.Done == 0 {
		t.Fatalf("%+v", x)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range []string{"canary.7f3a", "901820", person, "Please answer"} {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s holds %q", d.Name(), secret)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

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

func TestHundredAtOnce(t *testing.T) {
	dir := t.TempDir()
	a := openApp(t, dir, false)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	var wg sync.WaitGroup
	ids := make([]string, 100)
	for i := range ids {
		wg.Add(1)
		go func() {
			defer wg.Done()
			v, err := a.Predict(ctx, c, PredictRequest{Model: textModel, Text: text("Good, number " + strings.Repeat("i", i%7+1) + ".")})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = v.ID
		}()
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, e := range events(t, a) {
		if e.Code == "PREDICTION.MADE.OK" {
			seen[e.Object] = true
		}
	}
	for _, id := range ids {
		if !seen["prediction:"+id] {
			t.Errorf("prediction %s is not in the log", id)
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d entries", len(seen))
	}
	h, err := a.VerifyLog(ctx, a.Local())
	if err != nil || !h.OK {
		t.Fatalf("%+v %v", h, err)
	}
	d, err := a.Dashboard(ctx, a.Local(), time.Time{})
	if err != nil || d.Predictions != 100 {
		t.Fatalf("%+v %v", d, err)
	}
}

func TestBadInput(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	long := strings.Repeat("The film was good and the seats were not. ", 2400) // 100,800 characters
	v := predict(t, a, a.Local(), PredictRequest{Model: textModel, Text: &long})
	if len(v.Windows) < 2 || v.Windows[len(v.Windows)-1].End < len(long)-2 {
		t.Errorf("a long text was cut: %d windows", len(v.Windows))
	}
	for name, c := range map[string]struct {
		r    PredictRequest
		want error
	}{
		"nothing":       {PredictRequest{Model: textModel}, ErrInput},
		"empty":         {PredictRequest{Model: textModel, Text: text("")}, ErrInput},
		"not UTF-8":     {PredictRequest{Model: textModel, Text: text("a\xffb")}, ErrInput},
		"both":          {PredictRequest{Model: textModel, Text: text("a"), Image: []byte{1}}, ErrInput},
		"picture":       {PredictRequest{Model: imageModel, Image: []byte("GIF89a")}, ErrInput},
		"text":          {PredictRequest{Model: imageModel, Text: text("a")}, ErrInput},
		"model":         {PredictRequest{Model: "nobody", Text: text("a")}, ErrUnknownModel},
		"model path":    {PredictRequest{Model: "../../etc", Text: text("a")}, ErrUnknownModel},
		"purpose":       {PredictRequest{Model: textModel, Text: text("a"), Purpose: "fun"}, ErrUnknownPurpose},
		"data class":    {PredictRequest{Model: textModel, Text: text("a"), DataClass: "fun"}, ErrInput},
		"method":        {PredictRequest{Model: textModel, Text: text("a"), Explain: &ExplainRequest{Method: "magic"}}, ErrUnknownMethod},
		"parameter":     {PredictRequest{Model: textModel, Text: text("a"), Explain: &ExplainRequest{Method: "integrated-gradients", Params: map[string]any{"profile": "magic"}}}, ErrParam},
		"label":         {PredictRequest{Model: textModel, Text: text("a"), Explain: &ExplainRequest{Method: "saliency", Target: "magic"}}, ErrUnknownLabel},
		"wrong subject": {PredictRequest{Model: textModel, Text: text("a"), Subject: strings.Repeat("x", 1001)}, ErrInput},
	} {
		_, err := a.Predict(ctx, a.Local(), c.r)
		if !errors.Is(err, c.want) || Hint(err) == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v (hint %q)", name, err, Hint(err))
		}
	}
	if _, err := a.AddModel(ctx, a.Local(), t.TempDir(), "", ""); !errors.Is(err, ErrModelFolder) {
		t.Error(err)
	}
	if _, err := a.Prediction(ctx, a.Local(), "x"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := a.AuditEvent(ctx, a.Local(), 1<<40); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: "docx"}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := a.Predictions(ctx, a.Local(), PredictionQuery{Page: Page{Before: "x"}}); !errors.Is(err, ErrInput) {
		t.Error(err)
	}
}

func TestOwnModel(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	dir := t.TempDir()
	shipped, _ := pretrained.FS(imageModel)
	if err := os.CopyFS(filepath.Join(dir, "secret-project"), shipped); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "secret-project")
	// The files of a shipped model are known by their digest.
	m, err := a.AddModel(ctx, a.Local(), folder, "", "")
	if err != nil || m.Name != imageModel {
		t.Fatalf("%+v %v", m, err)
	}
	m, err = a.AddModel(ctx, a.Local(), folder, "mine", "2.0.0")
	if err != nil || m.Name != "mine" || len(m.Files) == 0 {
		t.Fatalf("%+v %v", m, err)
	}
	pictures, _ := pretrained.Examples(imageModel)
	predict(t, a, a.Local(), PredictRequest{Model: "mine@2.0.0", Image: pictures[0].Image})
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddModel(ctx, a.Local(), folder, "mine", "3.0.0"); !errors.Is(err, ErrModelFolder) {
		t.Fatal(err)
	}
	for _, e := range events(t, a) {
		if strings.Contains(string(e.Leaf), "secret-project") {
			t.Fatalf("a leaf holds the folder's name: %s", e.Leaf)
		}
	}
}

func TestBigExportIsAJob(t *testing.T) {
	defer func(n int64) { jobThreshold = n }(jobThreshold)
	jobThreshold = 3
	a := openApp(t, "", false)
	ctx := context.Background()
	for _, format := range []string{"csv", "pack"} {
		x, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: format})
		if err != nil || !x.Job {
			t.Fatalf("%+v %v", x, err)
		}
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if x, err = a.Export(ctx, a.Local(), x.ID); err != nil {
				t.Fatal(err)
			}
			if x.Status == "done" {
				break
			}
			if x.Status == "failed" || time.Now().After(deadline) {
				t.Fatalf("%+v", x)
			}
		}
		if x.Done != x.Total || x.Bytes == 0 {
			t.Fatalf("%+v", x)
		}
		if err := a.CancelExport(ctx, a.Local(), x.ID); !errors.Is(err, ErrConflict) {
			t.Fatal(err)
		}
	}
}

func TestSeedDemo(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	start := time.Now()
	accounts, err := a.SeedDemo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seeded in %.1f s", time.Since(start).Seconds())
	for i, x := range accounts {
		token, c, err := a.SignInDemo(ctx, x.Token, "127.0.0.1")
		if err != nil || c.Roles[0] != x.Role || x.Role != demoRoles[i] {
			t.Fatal(err)
		}
		if _, err := a.Session(ctx, token); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Dashboard(ctx, c, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	list := events(t, a)
	refusals := 0
	for _, e := range list {
		if e.Effect == "deny" {
			refusals++
		}
	}
	if refusals != 3 {
		t.Errorf("%d refusals", refusals)
	}
	if again, err := a.SeedDemo(ctx); err != nil || len(again) != len(accounts) {
		t.Fatal(err)
	}
	if n := len(events(t, a)); n != len(list) {
		t.Errorf("seeding twice added %d entries", n-len(list))
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
