package policy

import "slices"

// Action is one of the fixed names of what can be done. The list grows by
// editing this file only: actions are frozen words in rules and log entries.
type Action string

// The actions.
const (
	Predict          Action = "predict"
	Generate         Action = "generate"
	Explain          Action = "explain"
	PredictionRead   Action = "prediction.read"
	PredictionReveal Action = "prediction.reveal"
	ModelRead        Action = "model.read"
	ModelAdd         Action = "model.add"
	ModelApprove     Action = "model.approve"
	AuditRead        Action = "audit.read"
	Export           Action = "export"
	PolicyRead       Action = "policy.read"
	PolicyEdit       Action = "policy.edit"
	PolicyApprove    Action = "policy.approve"
	UserManage       Action = "user.manage"
	KeyManage        Action = "key.manage"
	PrivacyManage    Action = "privacy.manage"
	ReviewDecide     Action = "review.decide"
	JobManage        Action = "job.manage"
)

// Actions lists every action in the order of the matrix page.
var Actions = []Action{
	Predict, Generate, Explain, PredictionRead, PredictionReveal,
	ModelRead, ModelAdd, ModelApprove,
	AuditRead, Export,
	PolicyRead, PolicyEdit, PolicyApprove,
	UserManage, KeyManage, PrivacyManage, ReviewDecide, JobManage,
}

// The roles, without their kind.
const (
	Analyst        = "analyst"
	ModelOwner     = "model-owner"
	Reviewer       = "reviewer"
	Auditor        = "auditor"
	PrivacyOfficer = "privacy-officer"
	Admin          = "admin"
)

// Roles lists the roles in the order of the matrix page.
var Roles = []string{Analyst, ModelOwner, Reviewer, Auditor, PrivacyOfficer, Admin}

// Known reports whether a is one of Actions.
func (a Action) Known() bool { return slices.Contains(Actions, a) }

// KnownRole reports whether name (without its kind) is one of Roles.
func KnownRole(name string) bool { return slices.Contains(Roles, name) }

// objectKind names the kind of object that each action is about; the pattern of
// a new matrix cell is this kind with the name left open.
var objectKind = map[Action]string{
	Predict: "model", Generate: "model", Explain: "model",
	PredictionRead: "prediction", PredictionReveal: "prediction",
	ModelRead: "model", ModelAdd: "model", ModelApprove: "model",
	AuditRead: "audit", Export: "audit",
	PolicyRead: "policy", PolicyEdit: "policy", PolicyApprove: "policy",
	UserManage: "user", KeyManage: "key", PrivacyManage: "privacy",
	ReviewDecide: "prediction", JobManage: "job",
}

// DefaultObject is the object pattern of a rule that covers every object the
// action can be about, for example "model:*".
func (a Action) DefaultObject() string { return objectKind[a] + ":*" }

// Object names one object of the kind that the action is about: "model:NAME",
// or the bare kind, "model", for an empty name (a list, a new one).
func (a Action) Object(name string) string {
	if name == "" {
		return objectKind[a]
	}
	return objectKind[a] + ":" + name
}
