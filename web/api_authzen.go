package web

import (
	"cmp"
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

// The OpenID AuthZEN Authorization API 1.0: other systems ask this policy. Subjects
// are user, key and role; resources are the objects of the policy; the context may
// hold purpose, data_class, method and auth. What a subject may do comes from its own
// roles here, never from properties that the caller sends.

func init() {
	api(http.MethodGet, "/.well-known/authzen-configuration", Public, Doc{Summary: "Where the AuthZEN endpoints are", Reply: authzenConfiguration{}}, authzenConfig)
	api(http.MethodPost, "/access/v1/evaluation", policy.PolicyRead, Doc{Summary: "AuthZEN: one decision", Body: authzenQuestion{}, Reply: authzenAnswer{}}, authzenOne)
	api(http.MethodPost, "/access/v1/evaluations", policy.PolicyRead, Doc{Summary: "AuthZEN: several decisions", Body: authzenQuestions{}, Reply: authzenAnswers{}}, authzenMany)
}

type authzenConfiguration struct {
	PDP         string `json:"policy_decision_point"`
	Evaluation  string `json:"access_evaluation_endpoint"`
	Evaluations string `json:"access_evaluations_endpoint"`
}

type authzenEntity struct {
	Type       string         `json:"type" schema:"minLength=1;maxLength=20"`
	ID         string         `json:"id" schema:"minLength=1;maxLength=200"`
	Properties map[string]any `json:"properties,omitempty"`
}

type authzenAction struct {
	Name       string         `json:"name" schema:"minLength=1;maxLength=64"`
	Properties map[string]any `json:"properties,omitempty"`
}

type authzenQuestion struct {
	Subject  authzenEntity  `json:"subject"`
	Action   authzenAction  `json:"action"`
	Resource authzenEntity  `json:"resource"`
	Context  map[string]any `json:"context,omitempty"`
}

// authzenPart is a question of several: what it leaves out is as in the whole.
type authzenPart struct {
	Subject  *authzenEntity `json:"subject,omitempty"`
	Action   *authzenAction `json:"action,omitempty"`
	Resource *authzenEntity `json:"resource,omitempty"`
	Context  map[string]any `json:"context,omitempty"`
}

type authzenQuestions struct {
	authzenPart
	Evaluations []authzenPart  `json:"evaluations" schema:"minItems=1;maxItems=100"`
	Options     authzenOptions `json:"options,omitzero"`
}

type authzenOptions struct {
	Semantic string `json:"evaluations_semantic,omitempty" schema:"list=authzen-semantics"`
}

type authzenAnswer struct {
	Decision bool           `json:"decision"`
	Context  authzenContext `json:"context"`
}

// authzenContext is why: codes and rule ids, and what an enforcer has to do.
type authzenContext struct {
	Reason        string             `json:"reason"`
	Rules         []string           `json:"rules"`
	PolicyVersion int64              `json:"policy_version"`
	PolicyHash    string             `json:"policy_hash"`
	Obligations   policy.Obligations `json:"obligations"`
}

type authzenAnswers struct {
	Evaluations []authzenAnswer `json:"evaluations"`
}

// Semantics of several questions.
const (
	executeAll   = "execute_all"
	untilDenied  = "deny_on_first_deny"
	untilAllowed = "permit_on_first_permit"
)

func init() {
	closedLists["authzen-semantics"] = func() []string { return optional([]string{executeAll, untilDenied, untilAllowed}) }
}

func authzenConfig(c *Context) error {
	base := c.Scheme() + "://" + c.Request().Host
	return c.JSON(http.StatusOK, authzenConfiguration{PDP: base, Evaluation: base + "/access/v1/evaluation", Evaluations: base + "/access/v1/evaluations"})
}

// request is the question as the policy takes it. Words of the context that are no
// text are no words of the policy: they make the request invalid, which is a no.
func (q authzenQuestion) request() policy.Request {
	word := func(name string) string {
		switch v := q.Context[name].(type) {
		case nil:
			return ""
		case string:
			return v
		}
		return "?"
	}
	return policy.Request{Subject: policy.Subject{ID: q.Subject.Type + ":" + q.Subject.ID}, Action: policy.Action(q.Action.Name),
		Object:  q.Resource.Type + ":" + q.Resource.ID,
		Context: policy.Context{Purpose: word("purpose"), DataClass: word("data_class"), Method: word("method"), Auth: word("auth")}}
}

func authzenReply(d app.DecisionView) authzenAnswer {
	return authzenAnswer{Decision: d.Effect == policy.EffectAllow, Context: authzenContext{Reason: d.Reason, Rules: d.RuleIDs,
		PolicyVersion: d.PolicyVersion, PolicyHash: d.PolicyHash, Obligations: d.Obligations}}
}

func authzenOne(c *Context) error {
	var q authzenQuestion
	if err := c.Decode(&q); err != nil {
		return err
	}
	out, err := c.App.Evaluate(c.Ctx(), c.Caller, []policy.Request{q.request()})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, authzenReply(out[0]))
}

func authzenMany(c *Context) error {
	var q authzenQuestions
	if err := c.Decode(&q); err != nil {
		return err
	}
	list := make([]policy.Request, len(q.Evaluations))
	for i, part := range q.Evaluations {
		list[i] = part.in(q.authzenPart).request()
	}
	decisions, err := c.App.Evaluate(c.Ctx(), c.Caller, list)
	if err != nil {
		return err
	}
	out := authzenAnswers{Evaluations: []authzenAnswer{}}
	for _, d := range decisions {
		a := authzenReply(d)
		out.Evaluations = append(out.Evaluations, a)
		if q.Options.Semantic == untilDenied && !a.Decision || q.Options.Semantic == untilAllowed && a.Decision {
			break
		}
	}
	return c.JSON(http.StatusOK, out)
}

// in fills what the part leaves out from the whole. What both leave out makes the
// question invalid, which is a no, and does not keep the others from their answers.
func (p authzenPart) in(whole authzenPart) authzenQuestion {
	q := authzenQuestion{Context: p.Context}
	if q.Context == nil {
		q.Context = whole.Context
	}
	if e := cmp.Or(p.Subject, whole.Subject); e != nil {
		q.Subject = *e
	}
	if a := cmp.Or(p.Action, whole.Action); a != nil {
		q.Action = *a
	}
	if e := cmp.Or(p.Resource, whole.Resource); e != nil {
		q.Resource = *e
	}
	return q
}
