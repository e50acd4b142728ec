package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// Kinds of what a quota bounds.
const (
	QuotaUser  = "user"
	QuotaKey   = "key"
	QuotaModel = "model"
)

// QuotaKinds are all of them.
var QuotaKinds = []string{QuotaUser, QuotaKey, QuotaModel}

// maxQuota bounds a quota, so that its sums stay far from overflowing.
const maxQuota = 1_000_000_000

// QuotaView bounds how often a user, a key or a model is used: predictions, texts and
// explanations count alike. 0 = no bound.
type QuotaView struct {
	Kind      string `json:"kind"`
	Object    string `json:"object"` // user:…, key:…, a model's name, or * for each of the kind by itself
	PerMinute int64  `json:"per_minute"`
	PerDay    int64  `json:"per_day"`
}

// QuotaError: a quota is used up until Again.
type QuotaError struct {
	Quota QuotaView
	Span  string // minute or day
	Again time.Duration
}

func (e *QuotaError) Error() string {
	most := e.Quota.PerMinute
	if e.Span == "day" {
		most = e.Quota.PerDay
	}
	return fmt.Sprintf("the %s's quota of %d a %s is used up", e.Quota.Kind, most, e.Span)
}

// Hint is what to do.
func (e *QuotaError) Hint() string {
	return fmt.Sprintf("try again in %d s, or ask an administrator for more", e.Seconds())
}

// Seconds is the time until the next use, rounded up.
func (e *QuotaError) Seconds() int { return int((e.Again + time.Second - 1) / time.Second) }

// quotaFresh is how old the list of quotas may be that a request is counted by: what
// another process changed counts here after that.
const quotaFresh = time.Second

// quotas is the list of quotas as last read.
type quotas struct {
	mu   sync.Mutex
	list []store.Quota
	read time.Time
}

func (a *App) quotaList(ctx context.Context) ([]store.Quota, error) {
	a.quotas.mu.Lock()
	defer a.quotas.mu.Unlock()
	if now := time.Now(); a.quotas.read.IsZero() || now.Sub(a.quotas.read) > quotaFresh {
		list, err := a.store.Quotas(ctx, a.workspace)
		if err != nil {
			return nil, err
		}
		a.quotas.list, a.quotas.read = list, now
	}
	return a.quotas.list, nil
}

// spend counts one use of the caller and the model against their quotas, all or none, and
// refuses with a *QuotaError the one that is too many. Of a thousand at once exactly as many pass
// as are left.
func (a *App) spend(ctx context.Context, w *run) error {
	list, err := a.quotaList(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	now := a.now().UTC()
	var used *QuotaError
	err = a.db.Write(ctx, func(ctx context.Context) error {
		for _, q := range bounding(list, w) {
			for _, span := range []struct {
				name string
				most int64
				len  time.Duration
			}{{"minute", q.PerMinute, time.Minute}, {"day", q.PerDay, 24 * time.Hour}} {
				if span.most == 0 {
					continue
				}
				starts := now.Truncate(span.len)
				ok, err := a.store.Use(ctx, store.QuotaUse{Workspace: a.workspace, Object: q.Object, Span: span.name, Starts: starts.UnixMilli()}, span.most)
				if err != nil {
					return err
				}
				if !ok {
					used = &QuotaError{quotaView(q), span.name, starts.Add(span.len).Sub(now)}
					return used
				}
			}
		}
		return nil
	})
	if used != nil {
		return a.overQuota(ctx, w, used)
	}
	return err
}

// bounding are the quotas that a request counts against, at most one of the caller and
// one of the model, Object being what is counted: a quota of its own stands in place of
// that of each of the kind.
func bounding(list []store.Quota, w *run) (out []store.Quota) {
	kind, _, _ := strings.Cut(w.caller.ID, ":")
	for _, x := range []struct{ kind, object, counted string }{{kind, w.caller.ID, w.caller.ID}, {QuotaModel, w.row.Name, "model:" + w.row.Name}} {
		var found *store.Quota
		for i := range list {
			if q := &list[i]; q.Kind == x.kind && (q.Object == x.object || q.Object == "*" && found == nil) {
				found = q
			}
		}
		if found != nil {
			q := *found
			q.Object = x.counted
			out = append(out, q)
		}
	}
	return out
}

// overQuota records a refusal once for each span: who sends thousands too many must not
// fill the log with them.
func (a *App) overQuota(ctx context.Context, w *run, used *QuotaError) error {
	key := denialKey{actor: w.caller.ID, action: string(w.action), object: w.row.Name, once: "quota " + used.Span + used.Quota.Kind + used.Quota.Object}
	if _, ok := a.denials.find(key, a.now()); ok {
		return used
	}
	a.denials.add(key, a.now(), ReceiptView{})
	return a.failed(ctx, w, "quota", used)
}

func quotaView(q store.Quota) QuotaView { return QuotaView{q.Kind, q.Object, q.PerMinute, q.PerDay} }

// Quotas lists the quotas of the workspace. Errors: [*Denied].
func (a *App) Quotas(ctx context.Context, c identity.Caller) ([]QuotaView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.KeyManage, denied: "QUOTA.READ.DENIED"}); err != nil {
		return nil, err
	}
	list, err := a.store.Quotas(ctx, a.workspace)
	if err != nil {
		return nil, err
	}
	out := make([]QuotaView, len(list))
	for i, q := range list {
		out[i] = quotaView(q)
	}
	return out, nil
}

// SetQuota replaces a quota; one without a bound is removed.
//
// Errors: [*Denied]; ErrInput for a kind or a bound that cannot be; ErrNotFound for a
// user, key or model that is not there.
func (a *App) SetQuota(ctx context.Context, c identity.Caller, q QuotaView) error {
	d, err := a.allow(ctx, ask{caller: c, action: policy.KeyManage, denied: "QUOTA.CHANGED.DENIED"})
	if err != nil {
		return err
	}
	if q.PerMinute < 0 || q.PerDay < 0 || q.PerMinute > maxQuota || q.PerDay > maxQuota {
		return fail(ErrInput, "use 0 for no bound", "a quota is between 0 and %d", maxQuota)
	}
	if err := a.quotaObject(ctx, &q); err != nil {
		return err
	}
	err = a.db.Write(ctx, func(ctx context.Context) error {
		if err := a.store.SetQuota(ctx, &store.Quota{Workspace: a.workspace, Kind: q.Kind, Object: q.Object, PerMinute: q.PerMinute, PerDay: q.PerDay}); err != nil {
			return err
		}
		if err := a.store.DropUses(ctx, a.now().Add(-48*time.Hour).UnixMilli()); err != nil {
			return err
		}
		e := audit.Event{Code: "QUOTA.CHANGED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.KeyManage), Decision: decisionLeaf(d),
			Codes: map[string]string{"kind": q.Kind}, Numbers: map[string]int64{"per_minute": q.PerMinute, "per_day": q.PerDay}}
		switch {
		case q.Object == "*":
		case q.Kind == QuotaModel:
			e.Object = "model:" + q.Object
		default:
			e.Object = q.Object
		}
		_, err := a.log.Append(ctx, e)
		return err
	})
	a.quotas.mu.Lock()
	a.quotas.read = time.Time{}
	a.quotas.mu.Unlock()
	return err
}

// quotaObject checks that what a quota bounds is there.
func (a *App) quotaObject(ctx context.Context, q *QuotaView) error {
	if q.Object == "*" {
		for _, k := range QuotaKinds {
			if q.Kind == k {
				return nil
			}
		}
	}
	switch q.Kind {
	case QuotaUser:
		u, err := a.people.User(ctx, q.Object)
		if errors.Is(err, identity.ErrNotFound) || err == nil && u.Workspace != a.workspace {
			return notFound("account")
		}
		return identityError(err)
	case QuotaKey:
		keys, err := a.people.Keys(ctx, a.workspace)
		for _, k := range keys {
			if k.ID == q.Object {
				return nil
			}
		}
		if err != nil {
			return identityError(err)
		}
		return notFound("key")
	case QuotaModel:
		row, err := a.lookup(ctx, q.Object)
		if err == nil {
			q.Object = row.Name
		}
		return err
	}
	return fail(ErrInput, "use one of "+strings.Join(QuotaKinds, ", "), "%q has no quota", clip(q.Kind))
}
