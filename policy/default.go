package policy

import "fmt"

// defaultMask are the recognisers that the shipped policy masks for everybody.
var defaultMask = []string{"email", "phone", "credit-card"}

// shipped is the shipped policy in one table: what each role may do, one row of
// the matrix a line.
var shipped = []struct {
	role    string
	actions []Action
}{
	{Analyst, []Action{Predict, Generate, Explain, PredictionRead, ModelRead}},
	{ModelOwner, []Action{Predict, Generate, Explain, PredictionRead, ModelRead, ModelAdd, PolicyRead, JobManage}},
	{Reviewer, []Action{PredictionRead, ModelRead, ReviewDecide}},
	{Auditor, []Action{PredictionRead, ModelRead, AuditRead, Export, PolicyRead}},
	{PrivacyOfficer, []Action{PredictionRead, PredictionReveal, ModelRead, AuditRead, PolicyRead, PrivacyManage}},
	{Admin, []Action{Predict, Generate, Explain, PredictionRead, ModelRead, ModelAdd, ModelApprove, AuditRead, Export,
		PolicyRead, PolicyEdit, PolicyApprove, UserManage, KeyManage, JobManage}},
}

// Default is the shipped policy of a workspace: one allow rule for each cell of
// the matrix that is open, and three deny rules.
//
// r-901 and, of models that write, r-903 keep the high-risk uses of the AI Act's
// Annex III, credit scoring and recruitment, away from analysts until somebody
// decides otherwise.
// r-902 keeps attention weights out of what customers are told: they show
// where a model looked, not why it decided.
func Default(workspace string) ([]Rule, []Grouping) {
	var rules []Rule
	n := 0
	for _, row := range shipped {
		for _, a := range row.actions {
			n++
			rules = append(rules, shippedRule(fmt.Sprintf("r-%03d", n), workspace, row.role, a))
		}
	}
	rules = append(rules,
		Rule{ID: "r-901", Workspace: workspace, Subject: "role:" + Analyst, Object: "model:*", Action: Predict,
			Condition: "purpose in {credit-scoring, recruitment}", Effect: EffectDeny,
			Title: "Analysts do not run models for credit scoring or recruitment"},
		Rule{ID: "r-902", Workspace: workspace, Subject: "role:" + Analyst, Object: "model:*", Action: Explain,
			Condition: "method in {attention, attention-rollout} and purpose in {customer-support}", Effect: EffectDeny,
			Title: "Attention weights are not given to customers as reasons"},
		Rule{ID: "r-903", Workspace: workspace, Subject: "role:" + Analyst, Object: "model:*", Action: Generate,
			Condition: "purpose in {credit-scoring, recruitment}", Effect: EffectDeny,
			Title: "Analysts do not let models write for credit scoring or recruitment"},
	)
	return rules, nil
}

func shippedRule(id, workspace, role string, a Action) Rule {
	return Rule{
		ID: id, Workspace: workspace, Subject: "role:" + role, Object: a.DefaultObject(), Action: a,
		Effect: EffectAllow, Obligations: shippedObligations(role, a),
	}
}

// shippedObligations are the obligations of a cell: everybody who runs a model
// or reads its results sees masked text; auditors prove decisions and do not
// need the words' exact weights.
func shippedObligations(role string, a Action) Obligations {
	var o Obligations
	switch a {
	case Predict, Generate, Explain, PredictionRead:
		o.Mask = defaultMask
	}
	if a == PredictionRead {
		switch role {
		case Auditor:
			o.ExplanationLevel = LevelSigns
		case Reviewer:
			o.ExplanationLevel = LevelRounded
		}
	}
	return o
}
