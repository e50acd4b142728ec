package gallery

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/a-h/templ"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/chart"
	"vitrine/views/ui"
)

func init() {
	register("models", func(s views.Shell) templ.Component {
		return views.ModelsPage(views.Models{Shell: as(s, "model-owner", "models"), Rows: []views.ModelRow{
			{Model: views.ModelRef{Name: "sentiment-minilm", Version: "1.0.0", Digest: digestA}, Task: "text-classification", Labels: []string{"negative", "neutral", "positive"}, Parameters: 11410179, Predictions: 1530, Source: "embedded", Added: noon}}})
	})
	register("models-empty", func(s views.Shell) templ.Component {
		return views.ModelsPage(views.Models{Shell: as(s, "model-owner", "models")})
	})
	register("model", func(s views.Shell) templ.Component {
		return views.ModelPage(views.Model{Shell: as(s, "model-owner", "models"), Model: views.ModelRef{Name: "sentiment-minilm", Version: "1.0.0", Digest: digestA}, Task: "text-classification", Family: "bert",
			Architecture: "BertForSequenceClassification", Modality: "text", Labels: []string{"negative", "neutral", "positive"}, Parameters: 11410179, DType: "F16", Layers: 4, Heads: 12, MaxTokens: 512,
			Source: "embedded", Added: noon, Files: []views.File{{Name: "model.safetensors", Size: 22900000, SHA256: digestA}, {Name: "config.json", Size: 812, SHA256: digestB}},
			Card: "# sentiment-minilm\n\nReads **short English texts**.\n\n| | |\n|---|---|\n| accuracy | 76.7 % |\n\n- not for other languages\n- see [the paper](https://example.org)\n", Methods: methods(), Predictions: 1530})
	})
	register("audit", func(s views.Shell) templ.Component { return views.AuditPage(audit(s)) })
	register("audit-empty", func(s views.Shell) templ.Component {
		m := audit(s)
		m.Rows, m.Total, m.Query = nil, 0, "kind:NOTHING"
		m.Filters = []views.Filter{{Text: "kind NOTHING", Without: "/audit"}}
		return views.AuditPage(m)
	})
	register("audit-damaged", func(s views.Shell) templ.Component {
		m := audit(s)
		m.Health.OK, m.Health.FirstBad, m.Health.Problem = false, 812, "entry 812 does not give its leaf hash"
		m.Shell.LogState = "bad"
		return views.AuditPage(m)
	})
	register("entry", func(s views.Shell) templ.Component { return views.EntryPage(entry(s)) })
	register("entry-differs", func(s views.Shell) templ.Component {
		m := entry(s)
		m.Proof.Signed = digestA
		return views.EntryPage(m)
	})
	register("exports", func(s views.Shell) templ.Component {
		return views.ExportsPage(views.Exports{Shell: as(s, "auditor", "exports"), Kinds: []views.Choice{{Value: "PREDICTION", Text: "PREDICTION"}}, Rows: []views.ExportRow{
			{ID: "1", Format: "pack", Status: "done", Done: 8114, Total: 8114, Bytes: 4210000, SHA256: digestA, FileName: "vitrine-2026-11-24.zip", Created: noon},
			{ID: "2", Format: "csv", Status: "running", Done: 4200, Total: 12431, FileName: "vitrine-2026-11-24.csv", Created: noon},
			{ID: "3", Format: "jsonl", Status: "failed", Total: 12431, FileName: "vitrine-2026-11-24.jsonl", Created: noon, Error: "no space left on the disk"}}})
	})
	register("exports-empty", func(s views.Shell) templ.Component {
		return views.ExportsPage(views.Exports{Shell: as(s, "auditor", "exports")})
	})
	register("policies", func(s views.Shell) templ.Component { return views.PoliciesPage(policies(s)) })
	register("policies-edit", func(s views.Shell) templ.Component {
		m := policies(s)
		m.Edit = &views.CellForm{Others: []policy.Rule{*deniedByRule().Rule}, Keep: true, Base: 42, Role: "analyst", Action: "explain", Effect: "allow", Duties: true, Level: "full",
			Mask:   []views.Choice{{Value: "email", Text: "e-mail address", Selected: true}},
			Forbid: []views.Choice{{Value: "attention", Text: "attention", Selected: true}, {Value: "occlusion", Text: "occlusion"}}}
		return views.PoliciesPage(m)
	})
	preview := &views.PolicyPreview{Decisions: 12410, Changed: 37, Since: noon, Warnings: []string{"rule r-007 can never match: its condition contradicts itself"},
		Changes: []views.PolicyEffect{{Role: "analyst", Action: "explain", Gained: 4, Contexts: 72, Object: "model:any", Purpose: "research", Class: "internal", Method: "attention"},
			{Role: "analyst", Action: "predict", Lost: 12, Duties: 6, Contexts: 36, Object: "model:any", Purpose: "audit", Class: "special"}},
		Rows: []views.ReplayedAnswer{{Index: 12409, Time: noon, Actor: "chen.yu", Action: "explain", Object: "model:sentiment-minilm", Purpose: "research", Before: "deny", After: "allow"},
			{Index: 12390, Time: noon, Actor: "chen.yu", Action: "predict", Object: "model:sentiment-minilm", Purpose: "audit", Before: "allow", After: "deny"}}}
	register("policies-preview", func(s views.Shell) templ.Component {
		m := policies(s)
		m.Edit, m.Preview = &views.CellForm{Base: 42, Role: "analyst", Action: "explain", Effect: "allow", Reason: "Research needs attention maps."}, preview
		return views.PoliciesPage(m)
	})
	register("policies-rollback", func(s views.Shell) templ.Component {
		m := policies(s)
		m.Rollback, m.Preview = &views.RollbackForm{Base: 42, Version: 41}, preview
		return views.PoliciesPage(m)
	})
	register("policies-proposal", func(s views.Shell) templ.Component {
		m := policies(s)
		later := noon.AddDate(0, 0, 7)
		m.Waiting = []views.Proposal{{ID: "1", Base: 42, Author: "chen.yu", Reason: "Research needs attention maps.", Created: noon, MayJudge: true},
			{ID: "2", Base: 42, Author: "a.novak", Reason: "From Monday on.", Created: noon, Starts: &later, Approved: true}}
		m.Proposal, m.Preview = &m.Waiting[0], preview
		return views.PoliciesPage(m)
	})
	register("policy-reach", func(s views.Shell) templ.Component {
		access := func(subject string, always bool, denies ...policy.Rule) policy.Access {
			return policy.Access{Subject: subject, Action: policy.Predict, Object: "model:any", Always: always,
				Allows: []policy.Rule{{ID: "r-001", Subject: "role:analyst", Effect: "allow"}}, Paths: [][]string{{subject, "role:analyst"}}, Denies: denies}
		}
		return views.PolicyReachPage(views.PolicyReach{Shell: as(s, "admin", "policies"), Version: 42, Actions: []string{"predict", "explain"}, Action: "predict", Asked: true,
			Rows: []views.ReachRow{{Access: access("role:analyst", true)}, {Access: access("user:01JD3Q0000000000000000LINW", false, *deniedByRule().Rule), Name: "Lin Wei"}}})
	})
	register("policy-reach-nobody", func(s views.Shell) templ.Component {
		return views.PolicyReachPage(views.PolicyReach{Shell: as(s, "admin", "policies"), Version: 42, Actions: []string{"predict"}, Subject: "role:guest", Error: "this workspace has no subject \"role:guest\"", Hint: "write role:NAME"})
	})
	register("policies-conflict", func(s views.Shell) templ.Component {
		m := policies(s)
		m.Error, m.Hint = "version 43 came into force while you were editing version 42", "load the page again and repeat your change"
		return views.PoliciesPage(m)
	})
}

func health() views.Health {
	return views.Health{Known: true, OK: true, Size: 12431, Root: digestB, Signed: noon, Checked: noon, FirstBad: -1, Key: "5c1a90e2f00d", Origin: "vitrine/01JD3Q"}
}

func audit(s views.Shell) views.Audit {
	return views.Audit{
		Shell: as(s, "auditor", "audit"), Size: 12431, Total: 285, Health: health(), Older: "/audit?before=12349", Export: "/exports",
		Kinds:    []ui.Option{{Text: "Predictions", URL: "?q=kind:PREDICTION"}, {Text: "Sign-ins", URL: "?q=kind:SESSION", Current: true}},
		Outcomes: []ui.Option{{Text: "Denied", URL: "?q=decision:deny"}},
		Rows: []views.EventRow{
			{Index: 12430, Time: noon, Code: "PREDICTION.MADE.DENIED", Actor: "key:01JD3Q0000000000000000NEWS", Object: "model:sentiment-minilm", Effect: "deny"},
			{Index: 12409, Time: noon, Code: "PREDICTION.MADE.OK", Actor: "user:01JD3Q0000000000000000LINW", Object: "prediction:01KAV7Q2M8XW3E000000000001", URL: "/predictions/01KAV7Q2M8XW3E000000000001", Effect: "allow"},
			{Index: 12349, Time: noon, Code: "SESSION.OPENED.FAILED", Actor: "anonymous", Object: "session:01JD3Q0000000000000000SESS"},
		},
	}
}

func entry(s views.Shell) views.Entry {
	leaf := `{"action":"predict","actor":"user:01JD3Q0000000000000000LINW","code":"PREDICTION.MADE.OK","v":1}`
	h := sha256.Sum256(append([]byte{0}, leaf...))
	var proof [][32]byte
	for i := range 10 {
		proof = append(proof, sha256.Sum256([]byte{byte(i)}))
	}
	steps, root, err := chart.ProofPath(12409, 12431, h, proof)
	if err != nil {
		panic("gallery: the sample proof does not fit")
	}
	return views.Entry{
		Shell: as(s, "auditor", "audit"), Row: audit(s).Rows[1], ID: "01KAV7Q2M8XW3E00000000000E", Action: "predict", Purpose: "quality-review", Rules: []string{"r-001"}, Policy: 42,
		Leaf: leaf, Indented: "{\n  \"action\": \"predict\",\n  \"code\": \"PREDICTION.MADE.OK\"\n}", LeafHash: hex.EncodeToString(h[:]),
		Proof:      chart.Proof{Index: 12409, Size: 12431, Leaf: hex.EncodeToString(h[:]), Steps: steps, Root: root, Signed: root},
		Checkpoint: "vitrine/01JD3Q\n12431\nsLAE9w==\n\n— vitrine/01JD3Q XBqQ4g==\n", ProofFile: "/audit/12409/proof", Previous: 12408, Next: 12410, Health: health(),
	}
}

func policies(s views.Shell) views.Policies {
	cell := func(role, state string, rules ...policy.Rule) views.Cell {
		return views.Cell{Role: role, State: state, Rules: rules}
	}
	masking := policy.Rule{ID: "r-002", Subject: "role:analyst", Effect: "allow", Obligations: policy.Obligations{Mask: []string{"email"}, ForbidMethods: []string{"attention"}}}
	return views.Policies{
		Shell: as(s, "admin", "policies"), Version: 42, Hash: digestB, Author: "a.novak", Reason: "Auditors prove decisions; they do not need the words.", Time: noon, CanEdit: true,
		Roles: []string{"analyst", "auditor", "admin"},
		Groups: []views.ActionGroup{
			{Name: "predictions", Actions: []views.ActionRow{
				{Action: "predict", Cells: []views.Cell{cell("analyst", policy.CellConditional, masking, *deniedByRule().Rule), cell("auditor", policy.CellNone), cell("admin", policy.CellAllow)}},
				{Action: "explain", Cells: []views.Cell{cell("analyst", policy.CellAllow, masking), cell("auditor", policy.CellDeny), cell("admin", policy.CellInherited)}}}},
			{Name: "evidence", Actions: []views.ActionRow{{Action: "audit.read", Cells: []views.Cell{cell("analyst", policy.CellNone), cell("auditor", policy.CellAllow), cell("admin", policy.CellAllow)}}}},
		},
		Rules:    []policy.Rule{{ID: "r-001", Subject: "role:analyst", Object: "model:*", Action: policy.Predict, Effect: "allow", Condition: "purpose in {research}"}, *deniedByRule().Rule},
		Versions: []views.PolicyVersion{{Version: 42, Hash: digestB, Author: "a.novak", Reason: "Auditors prove decisions.", Time: noon, Active: true}, {Version: 41, Hash: digestA, Author: "chen.yu", Reason: "First version.", Time: noon}},
	}
}
