package app

import (
	"context"
	"slices"
	"time"

	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// recentShown is how many predictions a dashboard lists.
const recentShown = 8

// expiresSoon is how long before its end a key needs somebody.
const expiresSoon = 14 * 24 * time.Hour

// Dashboard gathers what concerns the caller since a time (zero = from the beginning).
// Each number is the total of the list that it stands for; what the caller may not list
// is left out and named in Hidden.
func (a *App) Dashboard(ctx context.Context, c identity.Caller, since time.Time) (*DashboardView, error) {
	v := &DashboardView{Since: since, Recent: []PredictionBrief{}, Hidden: []string{}}
	may := func(action policy.Action, names ...string) bool {
		ok := a.decide(ask{caller: c, action: action}).Allow
		if !ok {
			v.Hidden = append(v.Hidden, names...)
		}
		return ok
	}
	h, err := a.health(ctx)
	if err != nil {
		return nil, err
	}
	v.Health = *h
	if may(policy.PredictionRead, "predictions", "explanations", "redactions", "recent") {
		if err := a.volumes(ctx, c, v, milli(since)); err != nil {
			return nil, err
		}
	}
	if may(policy.AuditRead, "denials", "failures") {
		deny, err := a.log.Facets(ctx, auditstore.Query{Decision: policy.EffectDeny, After: since})
		if err != nil {
			return nil, err
		}
		failures, err := a.log.Facets(ctx, auditstore.Query{Kinds: []string{"PREDICTION.MADE.FAILED", "EXPLANATION.MADE.FAILED"}, After: since})
		if err != nil {
			return nil, err
		}
		v.Denials, v.Failures = deny.Total, failures.Total
	}
	if may(policy.ModelRead, "models") {
		if v.Models, err = a.store.CountModels(ctx, a.workspace); err != nil {
			return nil, err
		}
	}
	if may(policy.Export, "failed_jobs") {
		if v.FailedJobs, err = a.store.CountFailedExports(ctx, a.workspace, milli(since)); err != nil {
			return nil, err
		}
	}
	if may(policy.KeyManage, "expiring_keys") {
		if v.ExpiringKeys, err = a.expiringKeys(ctx); err != nil {
			return nil, err
		}
	}
	if list, err := a.policies.Versions(ctx, a.workspace, 0, 1); err == nil && len(list) == 1 {
		v.Policy = versionView(list[0], true)
		if !may(policy.PolicyRead, "policy") {
			v.Policy = PolicyVersion{Version: list[0].Number, Time: list[0].Created, Active: true}
		}
	}
	slices.Sort(v.Hidden)
	return v, nil
}

func (a *App) volumes(ctx context.Context, c identity.Caller, v *DashboardView, since int64) (err error) {
	f := store.PredictionFilter{After: since}
	if v.Predictions, v.Redactions, err = a.store.CountPredictions(ctx, a.workspace, f); err != nil {
		return err
	}
	if v.Explanations, err = a.store.CountExplanations(ctx, a.workspace, since); err != nil {
		return err
	}
	list, err := a.briefs(ctx, c, f, Page{Limit: recentShown})
	if err != nil {
		return err
	}
	v.Recent = list.Items
	return nil
}

func (a *App) expiringKeys(ctx context.Context) (n int64, err error) {
	list, err := a.people.Keys(ctx, a.workspace)
	if err != nil {
		return 0, identityError(err)
	}
	now := a.now()
	for _, k := range list {
		if k.Disabled.IsZero() && !k.Expires.IsZero() && k.Expires.After(now) && k.Expires.Before(now.Add(expiresSoon)) {
			n++
		}
	}
	return n, nil
}
