package policy

// Effects of a rule and of a decision.
const (
	EffectAllow = "allow"
	EffectDeny  = "deny"
)

// Rule is one row of a policy. Subject is "role:NAME", "user:ID" or "key:ID",
// Object a pattern (object.go), Condition a sentence of the closed vocabulary
// of condition.go, Effect "allow" or "deny". Obligations count only where the
// effect is allow. Title is one plain sentence for people.
type Rule struct {
	Action      Action      `json:"action"`
	Condition   string      `json:"condition"`
	Effect      string      `json:"effect"`
	ID          string      `json:"id"`
	Object      string      `json:"object"`
	Obligations Obligations `json:"obligations"`
	Subject     string      `json:"subject"`
	Title       string      `json:"title"`
	Workspace   string      `json:"workspace"`
}

// Grouping makes Member inherit everything of Role: Member is a role, user or
// key with its kind, Role is a role with its kind.
type Grouping struct {
	Member    string `json:"member"`
	Role      string `json:"role"`
	Workspace string `json:"workspace"`
}

// Subject asks for something. ID carries its kind: "user:01J…", "key:01J…",
// or "role:analyst" when the question is about a role as such. Roles are role
// names with or without the prefix "role:"; they come from the identity tables.
type Subject struct {
	ID    string   `json:"id"`
	Roles []string `json:"roles"`
}

// Context is what conditions can see. Empty Purpose means "unspecified", empty
// DataClass "internal".
type Context struct {
	Purpose   string `json:"purpose"`
	DataClass string `json:"data_class"`
	Method    string `json:"method,omitempty"` // explanation method, with action explain
	Auth      string `json:"auth,omitempty"`   // one of Auths
}

// Request is one question. Its JSON form is what an evidence pack keeps to
// evaluate the decision again; it holds opaque ids and closed words only.
type Request struct {
	Workspace string  `json:"workspace"`
	Subject   Subject `json:"subject"`
	Action    Action  `json:"action"`
	Object    string  `json:"object"`
	Context   Context `json:"context"`
}
