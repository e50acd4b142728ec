package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"vitrine/audit"
	"vitrine/audit/report"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// ReportRequest says which report is wanted. Subject is what it is about: a prediction's
// id, or a model's name; reports on the log take the range After to Until.
type ReportRequest struct {
	Kind, Depth, Subject string
	After, Until         time.Time
	// Told is what the author of an incident report says happened.
	Told      string
	RequestID string
}

// ReportKind is a registered kind of report. Adding one adds a file.
type ReportKind struct {
	ID     string
	Action policy.Action // what a reader must be allowed
	// Subject is what it is about: prediction, model or range.
	Subject string
	Depths  []string // from the plainest to the fullest; none where there is one only
	build   func(ctx context.Context, a *App, c identity.Caller, r ReportRequest) (*report.Document, error)
}

// Depths of a letter.
const (
	DepthPerson    = "person"
	DepthAuditor   = "auditor"
	DepthAuthority = "authority"
)

var reportKinds = map[string]ReportKind{}

// registerReport adds a kind; it panics on a duplicate or an invalid entry.
func registerReport(k ReportKind) {
	if _, twice := reportKinds[k.ID]; twice || k.ID == "" || !k.Action.Known() || k.build == nil || !slices.Contains([]string{"prediction", "model", "range"}, k.Subject) {
		panic("app: invalid kind of report: " + k.ID)
	}
	reportKinds[k.ID] = k
}

// ReportKinds lists the kinds by id.
func ReportKinds() []ReportKind {
	var list []ReportKind
	for _, k := range reportKinds {
		list = append(list, k)
	}
	slices.SortFunc(list, func(x, y ReportKind) int { return cmp.Compare(x.ID, y.ID) })
	return list
}

// Report makes a report from what is recorded, as far as the caller may see it, and
// records that it was made, with its hash.
//
// Errors: [*Denied]; ErrNotFound; ErrUnknownModel; ErrInput; ErrInputNotKept.
func (a *App) Report(ctx context.Context, c identity.Caller, r ReportRequest) (*report.Document, error) {
	k, ok := reportKinds[r.Kind]
	if !ok {
		return nil, notFound("kind of report")
	}
	if r.Depth == "" && len(k.Depths) > 0 {
		r.Depth = k.Depths[0]
	}
	if r.Depth != "" && !slices.Contains(k.Depths, r.Depth) {
		return nil, fail(ErrInput, "use one of "+strings.Join(k.Depths, ", "), "%q is not a depth of this report", clip(r.Depth))
	}
	object := ""
	if k.Subject == "model" && modelName.MatchString(r.Subject) {
		object = "model:" + r.Subject
	}
	d, err := a.allow(ctx, ask{caller: c, action: k.Action, object: object, request: requestID(r.RequestID), denied: "REPORT.MADE.DENIED",
		event: func(e *audit.Event) { e.Codes = map[string]string{"report": k.ID} }})
	if err != nil {
		return nil, err
	}
	doc, err := k.build(ctx, a, c, r)
	if err != nil {
		return nil, err
	}
	doc.Kind, doc.Depth, doc.Workspace = k.ID, r.Depth, a.workspace
	if doc.Created == "" {
		doc.Created = audit.FormatTime(a.now())
	}
	hash, err := doc.Hash()
	if err != nil {
		return nil, err
	}
	e := audit.Event{ID: ulid.Make().String(), Code: "REPORT.MADE.OK", Actor: c.ID, Auth: c.Auth, Request: requestID(r.RequestID), Action: string(k.Action),
		Object: logObject(doc.Subject), Digest: hash, Decision: decisionLeaf(d), Codes: map[string]string{"report": k.ID}}
	if r.Depth != "" {
		e.Codes["depth"] = r.Depth
	}
	_, err = a.log.Append(ctx, e)
	return doc, err
}

// The small words of reports.

func fact(name string, value report.Text) report.Fact {
	return report.Fact{Name: report.Say(name), Value: value}
}

func percent(share float64) report.Text {
	return report.Raw(strconv.FormatFloat(100*share, 'f', 1, 64) + " %")
}

func figure(x float64) report.Text { return report.Raw(strconv.FormatFloat(x, 'g', 4, 64)) }

func timeText(t time.Time) report.Text {
	if t.IsZero() {
		return report.Text{}
	}
	return report.Raw(t.UTC().Format("2006-01-02 15:04:05") + " UTC")
}

func listText(list []string) report.Text { return report.Raw(strings.Join(list, ", ")) }

func modelText(m ModelRef) report.Text { return report.Raw(m.Name + " " + m.Version) }

func purposeText(p string) report.Text {
	if p == "" {
		p = policy.PurposeUnspecified
	}
	return report.Named("name.purpose-"+p, p)
}

// ruleLine names the rule behind a decision and what it demanded.
func ruleLine(d DecisionView) report.Text {
	if d.Rule == nil {
		return report.Text{}
	}
	s := d.Rule.ID
	if d.Rule.Title != "" {
		s += ": " + d.Rule.Title
	}
	return report.Raw(s)
}

func policyText(d DecisionView) report.Text {
	return report.Say("policy.version", "v", fmt.Sprint(d.PolicyVersion))
}
