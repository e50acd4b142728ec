package app

import (
	"time"

	"vitrine/policy"
)

// PredictRequest asks a model about one input: a text, with an optional second
// text, or an encoded picture (PNG or JPEG).
type PredictRequest struct {
	Model     string  `json:"model"` // name, name@version or digest
	Text      *string `json:"text,omitempty"`
	Pair      *string `json:"pair,omitempty"`
	Image     []byte  `json:"image,omitempty"`
	Purpose   string  `json:"purpose,omitempty"`    // "" = unspecified
	DataClass string  `json:"data_class,omitempty"` // "" = internal
	Subject   string  `json:"subject,omitempty"`    // the person concerned; stored as a keyed pseudonym only
	RequestID string  `json:"-"`
	// Explain, if not nil, explains the answer in the same call, as an event of its own.
	Explain *ExplainRequest `json:"explain,omitempty"`
	action  policy.Action   // "" = predict
	once    string          // digest of the request, of which a repeated refusal is one entry; "" = each is
}

// ExplainRequest asks why a stored prediction came out as it did.
type ExplainRequest struct {
	Method string         `json:"method"`
	Params map[string]any `json:"params,omitempty"`
	Target string         `json:"target,omitempty"` // "" = the predicted class; a label or an index
	Seed   uint64         `json:"seed,omitempty"`
	// Answer is the number of the text, of several that a model wrote at once. Target is then
	// the number of a token, or "" for all together.
	Answer    int    `json:"answer,omitempty"`
	RequestID string `json:"-"`
}

// PreviewRequest asks what a prediction would see and store. Nothing is kept.
type PreviewRequest struct {
	Model     string  `json:"model"`
	Text      *string `json:"text,omitempty"`
	Pair      *string `json:"pair,omitempty"`
	Image     []byte  `json:"image,omitempty"`
	Purpose   string  `json:"purpose,omitempty" schema:"list=purposes"`
	DataClass string  `json:"data_class,omitempty" schema:"list=data-classes"`
}

// Page asks for one part of a long list, newest first. Before is the cursor that
// the part before ended with ("" = the newest); Limit is capped at 200, 0 = 50.
type Page struct {
	Before string
	Limit  int
}

// PredictionQuery filters the list of predictions; empty fields match everything.
type PredictionQuery struct {
	Page
	Model, Purpose, Actor, Label string
	After, Until                 time.Time
}

// EventQuery filters the audit log; empty fields match everything.
type EventQuery struct {
	Page
	Kind     string // PREDICTION.MADE.OK, or a prefix: PREDICTION
	Actor    string // "user:01J…"
	Model    string // name or name@version
	Decision string // allow or deny
	Object   string
	Text     []string // words that all stand somewhere in the metadata
	After    time.Time
	Until    time.Time
	From, To *int64 // indexes, From included, To excluded
}

// ExportRequest asks for a file of log entries.
type ExportRequest struct {
	Format string `json:"format"` // pack, csv, jsonl
	EventQuery
	Language  string `json:"language,omitempty"` // of report.html: en or zh-Hans
	RequestID string `json:"-"`
}

// PolicyChange is one edit of the matrix. Cells are applied in order on top of the
// version Base; a Base that is not the current version is refused with ErrConflict.
type PolicyChange struct {
	Base   int64        `json:"base" schema:"minimum=0"`
	Cells  []PolicyCell `json:"cells" schema:"minItems=1;maxItems=50"`
	Reason string       `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
	// Starts is when the change comes into force; none = at once. A later time needs a
	// policy under which changes are approved by a second person.
	Starts    *time.Time `json:"starts,omitempty"`
	RequestID string     `json:"-"`
}

// PolicyRollback puts the rules of an earlier version into force again.
type PolicyRollback struct {
	Base      int64  `json:"base" schema:"minimum=0"`
	Version   int64  `json:"version" schema:"minimum=0"`
	Reason    string `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
	RequestID string `json:"-"`
}

// PolicyImport puts the rules of a file into force. CSV is what `vitrine policy export`
// writes, or any policy file of Casbin for the same model.
type PolicyImport struct {
	Base      int64  `json:"base" schema:"minimum=0"`
	CSV       string `json:"csv" schema:"minLength=1;maxLength=1000000"`
	Reason    string `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
	RequestID string `json:"-"`
}

// PolicyProposal asks what an edit of the matrix on top of version Base would change.
type PolicyProposal struct {
	Base  int64        `json:"base" schema:"minimum=0"`
	Cells []PolicyCell `json:"cells" schema:"minItems=1;maxItems=50"`
}

// PolicyCell sets what one role may do: Effect allow, deny or none (no rule).
// Condition and Obligations nil keep what the cell's rule has.
type PolicyCell struct {
	Role        string             `json:"role" schema:"list=roles"`
	Action      string             `json:"action" schema:"list=actions"`
	Effect      string             `json:"effect" schema:"list=effects"`
	Condition   *string            `json:"condition,omitempty" schema:"pattern=condition;maxLength=500;says=is not a condition like: purpose in {research, audit}"`
	Obligations *ObligationsChange `json:"obligations,omitempty"`
	// KeepOthers leaves the cell's rules of the other effect that have a condition.
	KeepOthers bool `json:"keep_others,omitempty"`
}

// ObligationsChange replaces the obligations of a cell's rule.
type ObligationsChange struct {
	Mask             []string `json:"mask" schema:"items.list=masks"`
	ExplanationLevel string   `json:"explanation_level" schema:"list=levels"`
	Methods          []string `json:"methods" schema:"items.list=methods"` // the only ones allowed; none = all
	ForbidMethods    []string `json:"forbid_methods" schema:"items.list=methods"`
	Round            *int     `json:"round" schema:"minimum=0;maximum=12"`
	ModelSeesClear   bool     `json:"model_sees_clear"`
	Review           bool     `json:"review,omitempty"` // of policy.edit: a second person approves each change
	// Gate, of explain, is what an explanation must reach; none asks nothing.
	Gate *GateChange `json:"gate,omitempty"`
}

// GateChange is a gate on explanations as an edit sets it: see policy.Gate.
type GateChange struct {
	Action       string   `json:"action" schema:"list=gate-actions"`
	Better       []string `json:"better,omitempty" schema:"items.list=figures"`
	MaxGap       float64  `json:"max_gap,omitempty" schema:"minimum=0;maximum=1000000000"`
	MaxP         float64  `json:"max_p,omitempty" schema:"minimum=0;maximum=1"`
	MinAgreement *float64 `json:"min_agreement,omitempty" schema:"minimum=-1;maximum=1"`
	Next         []string `json:"next,omitempty" schema:"items.list=methods"`
	Sanity       bool     `json:"sanity,omitempty"`
}

// ProposalDecision decides a change that waits for a second person. Verdict is approve,
// reject, or withdraw for its author.
type ProposalDecision struct {
	Verdict   string `json:"verdict" schema:"list=verdicts"`
	Reason    string `json:"reason" schema:"minLength=1;maxLength=500;pattern=sentence;says=must say something"`
	RequestID string `json:"-"`
}
