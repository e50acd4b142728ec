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
	policystore "vitrine/policy/store"
)

// versionsShown is how many versions a policy is shown with.
const versionsShown = 50

// Policy returns the policy in force, as a matrix and as rules, with its history.
func (a *App) Policy(ctx context.Context, c identity.Caller) (*PolicyView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.PolicyRead, denied: "POLICY.READ.DENIED"}); err != nil {
		return nil, err
	}
	return a.policyView(ctx)
}

func (a *App) policyView(ctx context.Context) (*PolicyView, error) {
	s, err := a.policies.Active(ctx, a.workspace)
	if err != nil {
		return nil, err
	}
	v := &PolicyView{Version: s.Version(), Hash: s.Hash(), Roles: policy.Roles, Rules: s.Rules(), Purposes: policy.Purposes}
	for _, action := range policy.Actions {
		v.Actions = append(v.Actions, string(action))
	}
	for _, row := range s.Matrix() {
		for _, cell := range row {
			v.Cells = append(v.Cells, cellView(cell))
		}
	}
	for _, issue := range policystore.Lint(s.Rules(), s.Groups()) {
		v.Warnings = append(v.Warnings, issue.Message)
	}
	list, err := a.policies.Versions(ctx, a.workspace, 0, versionsShown)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		view := versionView(x, x.Number == s.Version())
		if view.Active {
			v.Author, v.Reason, v.Time = view.Author, view.Reason, view.Time
		}
		v.Versions = append(v.Versions, view)
	}
	v.Proposals, err = a.proposals(ctx)
	return v, err
}

func versionView(v policystore.Version, active bool) PolicyVersion {
	return PolicyVersion{Version: v.Number, Hash: v.Hash, Author: v.Author, Reason: v.Reason, Time: v.Created, Active: active}
}

func cellView(c policy.Cell) CellView {
	v := CellView{Role: c.Role, Action: string(c.Action), State: c.State, Effect: "none", Inherited: c.State == policy.CellInherited, Rules: c.Rules}
	if len(c.Rules) > 0 {
		v.Rule, v.Effect = &c.Rules[0], c.Rules[0].Effect
	}
	return v
}

// ChangePolicy applies edits of the matrix on top of the version r.Base, as the next
// version. It is in force for every request that begins after it returns, unless the rule
// that lets the caller change the policy asks for review: then it is a proposal of the
// view that comes back.
//
// Errors: [*Denied]; ErrConflict when another version came in between, or when nobody
// could edit the policy any more; ErrInput for an edit that makes no sense.
func (a *App) ChangePolicy(ctx context.Context, c identity.Caller, r PolicyChange) (*PolicyView, error) {
	return a.replacePolicy(ctx, c, r.Base, r.Starts, r.Reason, r.RequestID, a.cells(r.Cells))
}

// RollBackPolicy puts the rules of an earlier version into force again, as the next
// version. Errors as of ChangePolicy; ErrNotFound for a version that never was.
func (a *App) RollBackPolicy(ctx context.Context, c identity.Caller, r PolicyRollback) (*PolicyView, error) {
	return a.replacePolicy(ctx, c, r.Base, nil, r.Reason, r.RequestID, a.version(r.Version))
}

// ImportPolicy puts the rules of a file, as policy.ReadCSV reads it, into force as the
// next version. Errors as of ChangePolicy.
func (a *App) ImportPolicy(ctx context.Context, c identity.Caller, r PolicyImport) (*PolicyView, error) {
	return a.replacePolicy(ctx, c, r.Base, nil, r.Reason, r.RequestID, a.file(r.CSV))
}

// proposal makes rules and groupings out of the policy in force.
type proposal func(ctx context.Context, base *policy.Snapshot) ([]policy.Rule, []policy.Grouping, error)

func (a *App) cells(cells []PolicyCell) proposal {
	return func(_ context.Context, base *policy.Snapshot) ([]policy.Rule, []policy.Grouping, error) {
		rules, err := edited(base.Rules(), a.workspace, cells)
		return rules, base.Groups(), err
	}
}

func (a *App) version(number int64) proposal {
	return func(ctx context.Context, _ *policy.Snapshot) ([]policy.Rule, []policy.Grouping, error) {
		_, s, err := a.policies.Version(ctx, a.workspace, number)
		if errors.Is(err, policystore.ErrNotFound) {
			return nil, nil, fail(ErrNotFound, "look at the list of versions", "the policy has no version %d", number)
		}
		if err != nil {
			return nil, nil, err
		}
		return s.Rules(), s.Groups(), nil
	}
}

func (a *App) file(text string) proposal {
	return func(context.Context, *policy.Snapshot) ([]policy.Rule, []policy.Grouping, error) {
		rules, groups, err := policy.ReadCSV(strings.NewReader(text))
		if err != nil {
			return nil, nil, fail(ErrInput, "mend the line, or export the policy to see the form", "%s", plain(err))
		}
		for i := range rules {
			rules[i].Workspace = a.workspace // a file from another installation names another one
		}
		for i := range groups {
			groups[i].Workspace = a.workspace
		}
		return rules, groups, nil
	}
}

func (a *App) replacePolicy(ctx context.Context, c identity.Caller, on int64, starts *time.Time, why, request string, make proposal) (*PolicyView, error) {
	base, err := a.policies.Active(ctx, a.workspace)
	if err != nil {
		return nil, err
	}
	q := ask{caller: c, action: policy.PolicyEdit, object: fmt.Sprintf("policy:%d", base.Version()), request: requestID(request), denied: "POLICY.CHANGED.DENIED"}
	d, err := a.allow(ctx, q)
	if err != nil {
		return nil, err
	}
	reason := strings.TrimSpace(why)
	if n := len([]rune(reason)); n == 0 || n > maxReason {
		return nil, fail(ErrInput, "say in one sentence why", "a change of the policy needs a reason of 1 to %d characters", maxReason)
	}
	next, err := a.candidate(ctx, base, on, make)
	if err != nil {
		return nil, err
	}
	if len(policy.Diff(base, next)) == 0 && sameRules(base.Rules(), next.Rules()) {
		return nil, fail(ErrUnchanged, "change a cell first", "the change leaves the policy as it is")
	}
	change := policystore.Change{Workspace: a.workspace, Base: base.Version(), Rules: next.Rules(), Groups: next.Groups(), Author: c.ID, Reason: reason}
	switch {
	case d.Obligations.Review && starts != nil:
		err = a.propose(ctx, q, d, change, *starts)
	case d.Obligations.Review:
		err = a.propose(ctx, q, d, change, time.Time{})
	case starts != nil:
		return nil, fail(ErrInput, "leave the time out, or let changes be approved by a second person", "only an approved change comes into force at a later time")
	default:
		err = a.changePolicy(ctx, q, d, base, change, nil)
	}
	if err != nil {
		return nil, policyError(err)
	}
	return a.policyView(ctx)
}

// candidate is the policy as the proposal would have it. ErrConflict when it was made
// for another version than the one in force.
func (a *App) candidate(ctx context.Context, base *policy.Snapshot, on int64, make proposal) (*policy.Snapshot, error) {
	if on != base.Version() {
		return nil, fail(ErrConflict, "look at the policy again and repeat the change", "version %d is in force, the change was made for version %d", base.Version(), on)
	}
	rules, groups, err := make(ctx, base)
	if err != nil {
		return nil, err
	}
	next, err := policy.Compile(base.Version()+1, rules, groups)
	if err != nil {
		return nil, policyError(err)
	}
	return next, nil
}

// edited applies cells in order.
func edited(rules []policy.Rule, workspace string, cells []PolicyCell) (out []policy.Rule, err error) {
	if len(cells) == 0 || len(cells) > len(policy.Actions)*len(policy.Roles) {
		return nil, fail(ErrInput, "send the cells to change", "%d cells were sent", len(cells))
	}
	out = rules
	for _, x := range cells {
		e := policy.Edit{Role: strings.TrimPrefix(x.Role, "role:"), Action: policy.Action(x.Action), Effect: x.Effect, Condition: x.Condition, KeepOthers: x.KeepOthers}
		if !policy.KnownRole(e.Role) {
			return nil, fail(ErrUnknownRole, "use one of "+strings.Join(policy.Roles, ", "), "%q is not a role", clip(x.Role))
		}
		if o := x.Obligations; o != nil {
			e.Obligations = &policy.Obligations{Mask: o.Mask, ExplanationLevel: o.ExplanationLevel, Methods: o.Methods,
				ForbidMethods: o.ForbidMethods, Round: o.Round, ModelSeesClear: o.ModelSeesClear, Review: o.Review, Gate: (*policy.Gate)(o.Gate)}
		}
		if out, err = policy.SetCell(out, workspace, e); err != nil {
			return nil, policyError(err)
		}
	}
	return out, nil
}

func sameRules(a, b []policy.Rule) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if ruleText(a[i]) != ruleText(b[i]) {
			return false
		}
	}
	return true
}

// ruleText is a rule written out: two rules with the same text are the same.
func ruleText(r policy.Rule) string {
	raw, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// policyError brings an error of the policy's packages into this package's terms.
func policyError(err error) error {
	var lint *policystore.LintError
	switch {
	case errors.As(err, &lint):
		for _, i := range lint.Issues {
			if i.Code == policy.LintLockout {
				return fail(ErrConflict, "keep policy.edit and user.manage allowed for one role", "%s", i.Message)
			}
		}
		return fail(ErrInput, "change the edit", "%s", plain(err))
	case errors.Is(err, policystore.ErrProposalState):
		return fail(ErrConflict, "look at the policy again", "%s", plain(err))
	case errors.Is(err, policystore.ErrConflict):
		return fail(ErrConflict, "look at the policy again and repeat the change", "another version came into force meanwhile")
	case errors.Is(err, policy.ErrRule):
		return fail(ErrInput, "change the edit", "%s", plain(err))
	}
	return err
}

// changePolicy keeps the version and its log entry, and what with does before, all or
// nothing.
func (a *App) changePolicy(ctx context.Context, q ask, d policy.Decision, base *policy.Snapshot, change policystore.Change, with func(ctx context.Context) error) error {
	own, err := a.ownKey(ctx, q.caller.ID)
	if err != nil {
		return err
	}
	id := ulid.Make().String()
	key, err := audit.RecordKey(own, id)
	if err != nil {
		return err
	}
	return a.db.Write(ctx, func(ctx context.Context) error {
		if with != nil {
			if err := with(ctx); err != nil {
				return err
			}
		}
		s, err := a.policies.Change(ctx, change)
		if err != nil {
			return err
		}
		added, removed, changed := ruleCounts(base.Rules(), s.Rules())
		_, err = a.log.Append(ctx, audit.Event{
			ID: id, Code: "POLICY.CHANGED.OK", Actor: q.caller.ID, Auth: q.caller.Auth, Request: q.request,
			Action: string(q.action), Object: fmt.Sprintf("policy:%d", s.Version()), Decision: decisionLeaf(d),
			Commitments: map[string]string{"reason": audit.Commit(key, "reason", []byte(change.Reason))},
			Codes:       map[string]string{"hash_before": base.Hash(), "hash_after": s.Hash()},
			Numbers: map[string]int64{"version_before": base.Version(), "version_after": s.Version(),
				"rules_added": added, "rules_removed": removed, "rules_changed": changed},
		})
		return err
	})
}

func ruleCounts(before, after []policy.Rule) (added, removed, changed int64) {
	old := map[string]string{}
	for _, r := range before {
		old[r.ID] = ruleText(r)
	}
	for _, r := range after {
		switch was, ok := old[r.ID]; {
		case !ok:
			added++
		case was != ruleText(r):
			changed++
		}
		delete(old, r.ID)
	}
	return added, int64(len(old)), changed
}
