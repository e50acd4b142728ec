package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/db/dbtest"
)

// TestQuotaRace: of many calls at once exactly as many pass as the quota has left; the
// next minute has its own, a quota of one's own stands before that of everybody, and a
// refusal is one entry however often it is repeated.
func TestQuotaRace(t *testing.T) {
	ctx := context.Background()
	clock := time.Date(2026, 11, 24, 12, 0, 30, 0, time.UTC)
	var moved atomic.Int64
	dir := t.TempDir()
	a := openWith(t, Config{Data: dir, Database: dbtest.Address(t, dir), Now: func() time.Time { return clock.Add(time.Duration(moved.Load())) }})
	key, err := a.AddKey(ctx, a.Local(), "load", []string{"analyst"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.APIKey(ctx, key.Key, "test")
	if err != nil {
		t.Fatal(err)
	}
	set := func(q QuotaView) {
		t.Helper()
		if err := a.SetQuota(ctx, a.Local(), q); err != nil {
			t.Fatal(err)
		}
	}
	row, err := a.lookup(ctx, "sentiment-minilm")
	if err != nil {
		t.Fatal(err)
	}
	calls := func(n int) (passed int64) {
		var ok atomic.Int64
		var group sync.WaitGroup
		for range n {
			group.Go(func() {
				err := a.spend(ctx, &run{action: "predict", caller: c, row: row, request: newID(), context: policy.Context{Purpose: "unspecified", DataClass: "internal"}, decision: a.decide(ask{caller: c, action: "predict", object: "model:sentiment-minilm", context: policy.Context{Purpose: "unspecified", DataClass: "internal"}})})
				var used *QuotaError
				switch {
				case err == nil:
					ok.Add(1)
				case !errors.As(err, &used) || used.Seconds() < 1 || err.Error() != used.Error():
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
		return ok.Load()
	}
	if got := calls(20); got != 20 {
		t.Errorf("without a quota %d of 20 passed", got)
	}
	set(QuotaView{Kind: QuotaKey, Object: "*", PerMinute: 100})
	if got := calls(1000); got != 100 {
		t.Errorf("%d of 1,000 at once passed, the quota is 100", got)
	}
	list, err := a.AuditEvents(ctx, a.Local(), EventQuery{Kind: "PREDICTION.MADE.FAILED"})
	for deadline := time.Now().Add(20 * time.Second); err == nil && list.Total < 1 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		list, err = a.AuditEvents(ctx, a.Local(), EventQuery{Kind: "PREDICTION.MADE.FAILED"})
	}
	if err != nil || list.Total < 1 || list.Total > 8 {
		t.Errorf("900 refusals made %d entries, %v", list.Total, err)
	}
	moved.Add(int64(time.Minute))
	set(QuotaView{Kind: QuotaKey, Object: c.ID, PerMinute: 150, PerDay: 160})
	if got := calls(300); got != 150 {
		t.Errorf("in the next minute, under its own quota of 150, %d passed", got)
	}
	moved.Add(int64(time.Minute))
	if got := calls(300); got != 10 {
		t.Errorf("%d passed, the day has 10 left", got)
	}
	var used *QuotaError
	if _, err := a.Predict(ctx, c, PredictRequest{Model: "sentiment-minilm", Text: new(string)}); !errors.As(err, &used) || used.Span != "day" || used.Again != 11*time.Hour+57*time.Minute+30*time.Second {
		t.Errorf("%v %+v", err, used)
	}
	set(QuotaView{Kind: QuotaKey, Object: c.ID})
	set(QuotaView{Kind: QuotaKey, Object: "*"})
	set(QuotaView{Kind: QuotaModel, Object: "sentiment-minilm", PerDay: 5})
	if got := calls(20); got != 5 {
		t.Errorf("%d passed, the model's day has 5", got)
	}
	fine := "Fine."
	if _, err := a.Preview(ctx, c, PreviewRequest{Model: "sentiment-minilm", Text: &fine}); err != nil {
		t.Errorf("a preview, which runs nothing, with the quota used up: %v", err)
	}
	if list, err := a.Quotas(ctx, a.Local()); err != nil || len(list) != 1 || list[0].Object != "sentiment-minilm" {
		t.Error(list, err)
	}
	for _, bad := range []QuotaView{{Kind: "role", Object: "*", PerDay: 1}, {Kind: QuotaKey, Object: "key:nobody", PerDay: 1}, {Kind: QuotaUser, Object: "user:nobody", PerDay: 1},
		{Kind: QuotaModel, Object: "nothing", PerDay: 1}, {Kind: QuotaKey, Object: "*", PerDay: -1}, {Kind: QuotaKey, Object: "*", PerDay: maxQuota + 1}} {
		if err := a.SetQuota(ctx, a.Local(), bad); !errors.Is(err, ErrInput) && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnknownModel) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := a.SetQuota(ctx, identity.Caller{ID: c.ID, Roles: c.Roles, Workspace: c.Workspace, Auth: c.Auth}, QuotaView{Kind: QuotaKey, Object: "*"}); !errors.As(err, new(*Denied)) {
		t.Errorf("an analyst removes quotas: %v", err)
	}
}

// A data set is more than a minute's quota: its job goes on in the next minute.
func TestBatchWaitsForItsQuota(t *testing.T) {
	ctx := context.Background()
	start := time.Date(2026, 11, 24, 12, 0, 58, 0, time.UTC)
	var begun atomic.Pointer[time.Time] // the clock stands until the model is warm
	a := openWith(t, Config{Data: t.TempDir(), OneShot: true, Now: func() time.Time {
		if b := begun.Load(); b != nil {
			return start.Add(time.Since(*b))
		}
		return start
	}})
	c := caller(t, a, policy.Analyst)
	if err := a.SetQuota(ctx, a.Local(), QuotaView{Kind: QuotaUser, Object: c.ID, PerMinute: 3}); err != nil {
		t.Fatal(err)
	}
	predict(t, a, caller(t, a, policy.ModelOwner), PredictRequest{Model: textModel, Text: text("Warm.")})
	now := time.Now()
	begun.Store(&now)
	v, err := a.StartBatch(ctx, c, BatchRequest{Model: textModel, Format: "csv", Data: []byte("text\nOne.\nTwo.\nThree.\nFour.\n")})
	if err != nil || v.Status != "done" || v.Done != 4 {
		t.Fatalf("%+v %v", v, err)
	}
	if now := a.now(); now.Minute() == 0 {
		t.Errorf("four rows within a minute of three: %s", now)
	}
}
