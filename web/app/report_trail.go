package app

import (
	"context"

	"vitrine/audit"
	"vitrine/audit/report"
	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// maxTrail is the most entries that a report is made of while somebody waits; longer
// ranges are exported, and the pack's own report covers them.
const maxTrail = 100_000

// The audit trail of a range: what happened, who was refused, which models and policies
// took part, and how to check it (AI Act Art. 12, 19, 26(6)).
func init() {
	registerReport(ReportKind{ID: "trail", Action: policy.AuditRead, Subject: "range", build: buildTrail})
}

func buildTrail(ctx context.Context, a *App, _ identity.Caller, r ReportRequest) (*report.Document, error) {
	sum, err := a.trail(ctx, r)
	if err != nil {
		return nil, err
	}
	d := sum.Document()
	d.Subject = "log:" + a.log.ID()
	return d, nil
}

// trail summarises the entries of a range.
func (a *App) trail(ctx context.Context, r ReportRequest) (*report.Report, error) {
	head, _, err := a.log.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	first, last, ok, err := a.log.Span(ctx, r.After, r.Until)
	if err != nil {
		return nil, err
	}
	if ok && last-first >= maxTrail {
		return nil, fail(ErrInput, "choose a shorter time, or export an evidence pack, which holds the report of any range", "the range has %d entries, at most %d make a report at once", last-first+1, int64(maxTrail))
	}
	sum := &report.Report{Workspace: a.workspace, Log: head.Origin, Fingerprint: audit.Fingerprint(a.log.VerifierKey()), Created: audit.FormatTime(a.now()),
		First: first, Last: last, Size: head.Size, Root: head.Root.String(), Signed: audit.FormatTime(head.Time)}
	if !ok {
		sum.First, sum.Last = 0, -1
		return sum, nil
	}
	return sum, sum.Summarise(a.log.Leaves(ctx, auditstore.Query{First: &first, Last: &last}))
}
