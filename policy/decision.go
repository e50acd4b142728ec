package policy

// Reasons of a decision, a closed list of codes.
const (
	ReasonAllowed         = "allowed-by-rule"
	ReasonDenied          = "denied-by-rule"
	ReasonNoRule          = "no-rule-matched"
	ReasonMethodForbidden = "method-forbidden"     // an obligation of the allowing rule forbids the explanation method
	ReasonNoExplanation   = "explanation-withheld" // an obligation of the allowing rule sets the explanation level none
	ReasonInvalid         = "invalid-request"
	ReasonUnavailable     = "policy-unavailable" // the workspace has no usable policy: fails closed
)

// Decision is the answer to a Request. Slices and pointers are shared with the
// snapshot and must not be changed.
type Decision struct {
	Allow         bool        `json:"allow"`
	Effect        string      `json:"effect"`
	Reason        string      `json:"reason"`
	Rule          *Rule       `json:"rule,omitempty"`      // the rule that decided; nil when none matched
	RuleIDs       []string    `json:"rule_ids"`            // every rule that took part, sorted
	RolePath      []string    `json:"role_path,omitempty"` // from the subject to the rule's subject
	Nearest       *Rule       `json:"nearest,omitempty"`   // of a denial: the rule that came closest to allowing
	Lacked        []string    `json:"lacked,omitempty"`    // what the request lacked for Nearest, "role: auditor", "purpose in {research}"
	PolicyVersion int64       `json:"policy_version"`
	PolicyHash    string      `json:"policy_hash"`
	Obligations   Obligations `json:"obligations"`
	Request       Request     `json:"-"`
}
