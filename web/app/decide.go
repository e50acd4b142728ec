package app

import (
	"context"
	"fmt"
	"strings"

	"vitrine/audit"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/privacy"
)

// ask is one question to the policy, and what its refusal is logged as.
type ask struct {
	caller  identity.Caller
	action  policy.Action
	object  string // "" = the bare kind, for lists and new things
	context policy.Context
	request string // ULID of the request, "" = none
	once    string // digest of the request: its repeated refusal is one entry; "" = each is
	// denied is the kind of the log entry that a refusal makes.
	denied string
	// event, if not nil, completes that entry.
	event func(e *audit.Event)
}

// decide asks the policy in force. It records nothing.
func (a *App) decide(q ask) policy.Decision {
	q.context.Auth = q.caller.Auth
	object := q.object
	if object == "" {
		object = q.action.Object("")
	}
	r := policy.Request{
		Workspace: a.workspace,
		Subject:   policy.Subject{ID: q.caller.ID, Roles: q.caller.Roles},
		Action:    q.action,
		Object:    object,
		Context:   q.context,
	}
	if q.caller.Workspace != a.workspace {
		// Callers come from this workspace's own tables: anyone else is nobody here.
		r.Workspace = q.caller.Workspace
	}
	return a.policies.Decide(context.Background(), r)
}

// allow asks the policy and turns a no into [*Denied], written to the log first.
func (a *App) allow(ctx context.Context, q ask) (policy.Decision, error) {
	d := a.decide(q)
	if d.Allow {
		return d, nil
	}
	return d, a.refuse(ctx, q, d)
}

// refuse records a refusal and returns it as an error. A refusal that cannot be
// recorded is an error of its own: the answer is no in any case.
func (a *App) refuse(ctx context.Context, q ask, d policy.Decision) error {
	if d.PolicyHash == "" {
		// Without a usable policy there is no version to name in an entry.
		a.config.Logger.Error("a request was refused because the policy cannot be used", "action", string(q.action))
		return &Denied{Decision: decisionView(d)}
	}
	e := audit.Event{
		Code: q.denied, Actor: q.caller.ID, Auth: q.caller.Auth, Request: q.request,
		Object: logObject(d.Request.Object), Action: string(q.action), Decision: decisionLeaf(d),
		Purpose: d.Request.Context.Purpose,
	}
	if q.event != nil {
		q.event(&e)
	}
	key, now := keyOf(q, d), a.now()
	if r, ok := a.denials.find(key, now); ok {
		return &Denied{Decision: decisionView(d), Receipt: r}
	}
	promise, err := a.log.Append(ctx, e)
	if err != nil {
		return fmt.Errorf("app: recording a refusal: %w", err)
	}
	r := a.receipt(promise)
	a.denials.add(key, now, r)
	return &Denied{Decision: decisionView(d), Receipt: r}
}

// logObject keeps an object that the log's pattern knows; a bare kind names nothing
// and is left out.
func logObject(object string) string {
	kind, name, _ := strings.Cut(object, ":")
	switch kind {
	case "model", "prediction", "explanation", "user", "key", "policy", "export", "job":
		if name != "" && name != "*" {
			return object
		}
	}
	return ""
}

// decisionLeaf is a decision as the log holds it: closed words and opaque ids,
// enough to make the decision again from the packed policy.
func decisionLeaf(d policy.Decision) *audit.Decision {
	r := d.Request
	asked := audit.Asked{
		Workspace: r.Workspace, Subject: audit.Asker{ID: r.Subject.ID, Roles: r.Subject.Roles},
		Action: string(r.Action), Object: r.Object, Context: map[string]string{},
	}
	for name, value := range map[string]string{
		"purpose": r.Context.Purpose, "data_class": r.Context.DataClass, "method": r.Context.Method, "auth": r.Context.Auth,
	} {
		if value != "" {
			asked.Context[name] = value
		}
	}
	return &audit.Decision{
		Effect: d.Effect, Reason: d.Reason, PolicyVersion: d.PolicyVersion, PolicyHash: d.PolicyHash,
		Rules: d.RuleIDs, Asked: asked,
	}
}

// decisionView is a decision as everyone may see it.
func decisionView(d policy.Decision) DecisionView {
	purpose := d.Request.Context.Purpose
	if purpose == "" {
		purpose = policy.PurposeUnspecified
	}
	return DecisionView{
		Effect: d.Effect, Reason: d.Reason, Rule: d.Rule, RuleIDs: d.RuleIDs, RolePath: d.RolePath,
		Nearest: d.Nearest, Lacked: d.Lacked, PolicyVersion: d.PolicyVersion, PolicyHash: d.PolicyHash,
		Obligations: d.Obligations, Action: string(d.Request.Action), Object: d.Request.Object, Purpose: purpose,
	}
}

// receipt is a promise as callers get it.
func (a *App) receipt(p audit.Promise) ReceiptView {
	at, _ := audit.ParseTime(p.Time)
	return ReceiptView{Event: p.Event, LeafHash: p.LeafHash, Log: p.Log, Time: at, Status: p.Status, URL: p.URL, Signature: p.Signature}
}

// May answers whether the caller could do action on object now, recording nothing:
// for what a page offers. Every use case still decides for itself.
func (a *App) May(_ context.Context, c identity.Caller, action, object string) DecisionView {
	return decisionView(a.decide(ask{caller: c, action: policy.Action(action), object: object}))
}

// purpose checks a purpose against the closed list.
func purpose(p string) (string, error) {
	known, err := policy.CheckPurpose(p)
	if err != nil {
		return "", fail(ErrUnknownPurpose, "use one of "+strings.Join(policy.Purposes, ", "), "%q is not a purpose that this workspace knows", clip(p))
	}
	return known, nil
}

// dataClass checks a data class against the closed list.
func dataClass(class string) (string, error) {
	if class == "" {
		return policy.ClassDefault, nil
	}
	for _, known := range policy.DataClasses {
		if class == known {
			return class, nil
		}
	}
	return "", fail(ErrInput, "use one of "+strings.Join(policy.DataClasses, ", "), "%q is not a data class", clip(class))
}

// clip masks and shortens what a caller sent before it is repeated in an error.
func clip(s string) string {
	const most = 60
	s, _, _ = privacy.Mask(s, []string{privacy.All})
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}
