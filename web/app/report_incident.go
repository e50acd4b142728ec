package app

import (
	"context"
	"strings"

	"vitrine/audit"
	"vitrine/audit/report"
	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/policy/privacy"
)

// The incident report: what its author says happened, and what the log of that time
// holds: stops, failures, refusals, overridden answers, checks of the log that failed, in
// order (AI Act Art. 73).
func init() {
	registerReport(ReportKind{ID: "incident", Action: policy.AuditRead, Subject: "range", build: buildIncident})
}

// incidentKinds are what counts as a sign of an incident.
var incidentKinds = []string{"MODEL.STOPPED.OK", "MODEL.STARTED.OK", "PREDICTION.MADE.FAILED", "EXPLANATION.MADE.FAILED", "REVIEW.DECIDED.OK",
	"AUDIT.VERIFIED.FAILED", "LOG.RESTORED.OK", "LOG.ROTATED.OK", "EVENTS.DROPPED.OK", "POLICY.CHANGED.OK", "SESSION.OPENED.FAILED"}

// maxTold bounds what an author says, in characters.
const maxTold = 4000

func buildIncident(ctx context.Context, a *App, c identity.Caller, r ReportRequest) (*report.Document, error) {
	told := strings.TrimSpace(r.Told)
	if len([]rune(told)) > maxTold {
		return nil, fail(ErrInput, "say it shorter", "what happened has more than %d characters", maxTold)
	}
	told, _, _ = privacy.Mask(told, []string{privacy.All})
	sum, err := a.trail(ctx, r)
	if err != nil {
		return nil, err
	}
	d := &report.Document{Subject: "log:" + a.log.ID(), Created: sum.Created, Title: report.Say("incident.title"), Lede: report.Say("incident.lede", "from", spanEnd(sum.FirstTime), "to", spanEnd(sum.LastTime))}
	what := report.Caveat(report.Say("incident.not-told"))
	if told != "" {
		what = report.Paragraph(report.Raw(told))
	}
	d.Add(report.Say("incident.what"), what, report.List(fact("incident.author", report.Raw(c.ID))))
	d.Add(report.Say("incident.log"), report.List(
		fact("report.entries", report.Number(sum.Events)), fact("report.refused", report.Number(sum.Denied)), fact("audit.origin", report.Raw(sum.Log)),
		fact("report.log-size", report.Number(sum.Size)), fact("audit.root", report.Raw(sum.Root))), report.Paragraph(healthText(a)))
	if err := a.signs(ctx, d, sum); err != nil {
		return nil, err
	}
	t := &report.Table{Columns: []report.Column{{Title: report.Say("playground.model"), Width: 3}, {Title: report.Say("report.uses"), Width: 1, Number: true}, {Title: report.Say("models.digest"), Width: 5}}}
	for _, m := range sum.Models {
		t.Rows = append(t.Rows, []report.Text{report.Raw(m.ID + " " + m.Version), report.Number(m.Uses), report.Raw(m.Digest)})
	}
	models := report.Paragraph(report.Say("report.no-models"))
	if len(t.Rows) > 0 {
		models = report.Block{Table: t}
	}
	d.Add(report.Say("incident.models"), models)
	d.Add(report.Say("letter.rights"), report.Paragraph(report.Say("incident.articles")), report.Caveat(report.Say("letter.no-promise")))
	return d, nil
}

func spanEnd(s string) string {
	if at, err := audit.ParseTime(s); err == nil {
		return timeText(at).Raw
	}
	return "–"
}

// healthText is what the last check of the whole log found.
func healthText(a *App) report.Text {
	switch last, _, fault := a.log.Status(); {
	case fault != nil || last != nil && !last.OK:
		return report.Say("incident.log-bad")
	case last == nil:
		return report.Say("incident.log-unchecked")
	default:
		return report.Say("incident.log-ok", "at", timeText(last.At))
	}
}

// signs lists the entries of the range that an inquiry looks at first.
func (a *App) signs(ctx context.Context, d *report.Document, sum *report.Report) error {
	t := &report.Table{Columns: []report.Column{{Title: report.Say("audit.index"), Width: 1, Number: true}, {Title: report.Say("audit.time"), Width: 2},
		{Title: report.Say("audit.event"), Width: 3}, {Title: report.Say("audit.actor"), Width: 3}, {Title: report.Say("audit.object"), Width: 3}, {Title: report.Say("report.why"), Width: 2}}}
	more := int64(0)
	if sum.Last >= sum.First {
		for leaf, err := range a.log.Leaves(ctx, auditstore.Query{First: &sum.First, Last: &sum.Last, Kinds: incidentKinds}) {
			if err != nil {
				return err
			}
			e, err := audit.ParseLeaf(leaf.Bytes)
			if err != nil {
				return err
			}
			reason := e.Reason
			if e.Human != nil {
				reason = e.Human.Outcome
			}
			if len(t.Rows) == report.MaxPrinted {
				more++
				continue
			}
			at, _ := audit.ParseTime(e.Time)
			t.Rows = append(t.Rows, []report.Text{report.Number(leaf.Index), timeText(at), report.Named("name.event-"+e.Code, e.Code), report.Raw(e.Actor), report.Raw(e.Object), report.Raw(reason)})
		}
	}
	blocks := []report.Block{report.Paragraph(report.Say("incident.signs-what"))}
	if len(t.Rows) == 0 {
		blocks = append(blocks, report.Paragraph(report.Say("incident.no-signs")))
	} else {
		blocks = append(blocks, report.Block{Table: t})
	}
	if more > 0 {
		blocks = append(blocks, report.Caveat(report.Say("report.omitted", "n", more)))
	}
	d.Add(report.Say("incident.signs"), blocks...)
	return nil
}
