package app

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/inference/pretrained"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/db/dbtest"
)

const textModel, imageModel = "sentiment-minilm", "digits-resnet"

// openApp opens an App over a folder, a fresh one for "".
func openApp(t testing.TB, dir string, oneShot bool) *App {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	return openWith(t, Config{Data: dir, Database: dbtest.Address(t, dir), OneShot: oneShot})
}

// openFile opens an App for what only a database in the folder has.
func openFile(t testing.TB, dir string) *App {
	t.Helper()
	return openWith(t, Config{Data: dir, OneShot: true})
}

func openWith(t testing.TB, c Config) *App {
	t.Helper()
	a, err := New(context.Background(), c)
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
	// The same question later, of the stored prediction, with other draws for its figures: the same bits.
	second, err := a.Explain(ctx, c, v.ID, ExplainRequest{Method: "integrated-gradients", Seed: 7})
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
