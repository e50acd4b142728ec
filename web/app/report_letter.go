package app

import (
	"context"
	"math"
	"slices"
	"strings"
	"unicode"

	"vitrine/audit"
	"vitrine/audit/report"
	"vitrine/explain"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// The letter that explains a decision: what was decided, the procedure actually applied,
// the data used, and what would have changed the outcome (AI Act Art. 86; GDPR Art.
// 15(1)(h) as read in CJEU C-203/22). For the person concerned in plain words; for an
// auditor with figures, proofs and hashes; for an authority with the whole record, sealed
// by the log's key.
func init() {
	registerReport(ReportKind{ID: "letter", Action: policy.PredictionRead, Subject: "prediction",
		Depths: []string{DepthPerson, DepthAuditor, DepthAuthority}, build: buildLetter})
}

// letter gathers what one letter says.
type letter struct {
	doc   *report.Document
	depth string
	p     *PredictionView
	all   []*ExplanationView // those the caller may see, newest first
}

func buildLetter(ctx context.Context, a *App, c identity.Caller, r ReportRequest) (*report.Document, error) {
	if r.Depth != DepthPerson {
		// Proofs and positions in the log are the auditors'.
		if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
			return nil, err
		}
	}
	p, err := a.Prediction(ctx, c, r.Subject)
	if err != nil {
		return nil, err
	}
	l := &letter{depth: r.Depth, p: p, doc: &report.Document{Subject: "prediction:" + p.ID, Title: report.Say("letter.title-" + r.Depth),
		Lede: report.Say("letter.lede", "at", timeText(p.Time), "model", p.Model.Name)}}
	for _, b := range p.Explanations {
		if x, err := a.Explanation(ctx, c, b.ID); err == nil {
			l.all = append(l.all, x)
		}
	}
	slices.Reverse(l.all)
	l.outcome()
	l.procedure()
	l.reasons()
	l.change()
	l.people()
	if l.depth != DepthPerson {
		l.evidence()
	}
	l.rights()
	if l.depth == DepthAuthority {
		if err := a.sealReport(l.doc, l.all); err != nil {
			return nil, err
		}
	}
	return l.doc, nil
}

func (l *letter) outcome() {
	p := l.p
	facts := []report.Fact{fact("letter.when", timeText(p.Time)), fact("letter.reference", report.Raw(p.ID)), fact("letter.task", report.Named("name.task-"+p.Task, p.Task))}
	if len(p.Output.Labels) > 0 {
		best := p.Output.Labels[0]
		facts = append(facts, fact("letter.outcome", report.Raw(best.Label)), fact("letter.confidence", percent(best.Score)))
	}
	blocks := []report.Block{report.List(facts...)}
	if n := len(p.Output.Labels); n > 1 && l.depth != DepthPerson {
		t := &report.Table{Columns: []report.Column{{Title: report.Say("letter.label"), Width: 3}, {Title: report.Say("letter.confidence"), Width: 1, Number: true}}}
		for _, x := range p.Output.Labels[:min(n, 50)] {
			t.Rows = append(t.Rows, []report.Text{report.Raw(x.Label), percent(x.Score)})
		}
		blocks = append(blocks, report.Block{Table: t})
	}
	for _, e := range p.Output.Entities[:min(len(p.Output.Entities), 50)] {
		blocks = append(blocks, report.List(report.Fact{Name: report.Raw(e.Text), Value: report.Raw(e.Label)}))
	}
	l.doc.Add(report.Say("letter.what"), blocks...)
}

func (l *letter) procedure() {
	p := l.p
	blocks := []report.Block{report.Paragraph(report.Say("letter.procedure-what"))}
	input := report.Say("letter.input-image")
	if p.Input.Modality == "text" {
		input = report.Raw(p.Input.Text)
		if p.Input.Pair != nil {
			input.Raw += "\n" + *p.Input.Pair
		}
	}
	blocks = append(blocks, report.List(fact("letter.model", modelText(p.Model)), fact("letter.purpose", purposeText(p.Purpose)), fact("letter.input", input)))
	if n := len(p.Input.Masked); n > 0 {
		blocks = append(blocks, report.Paragraph(report.Say("letter.masked", "n", n)))
	}
	if l.depth != DepthPerson {
		blocks = append(blocks, report.List(fact("letter.digest", report.Raw(p.Model.Digest)), fact("letter.policy", policyText(p.Decision)),
			fact("letter.policy-hash", report.Raw(p.Decision.PolicyHash)), fact("letter.rule", ruleLine(p.Decision)), fact("letter.roles", listText(p.Decision.RolePath))))
	}
	l.doc.Add(report.Say("letter.procedure"), blocks...)
}

// told is the newest explanation that says something about words, and not what would have
// turned the answer.
func (l *letter) told() *ExplanationView {
	for _, x := range l.all {
		if m, ok := explain.Lookup(x.Method); ok && m.Family != "counterfactual" {
			return x
		}
	}
	return nil
}

func (l *letter) reasons() {
	x := l.told()
	if x == nil {
		l.doc.Add(report.Say("letter.why"), report.Caveat(report.Say("letter.no-explanation")))
		return
	}
	l.doc.Record = x.RecordHash
	blocks := []report.Block{report.Paragraph(report.Say("letter.why-method", "method", report.Named("name.method-"+x.Method, x.Method), "target", x.Target.Label))}
	blocks = append(blocks, report.List(fact("letter.for", listText(strongestWords(x.Words, 1, l.depth))), fact("letter.against", listText(strongestWords(x.Words, -1, l.depth)))))
	if len(x.Words) == 0 {
		blocks = append(blocks, report.Paragraph(report.Say("letter.no-words")))
	}
	blocks = append(blocks, report.Caveat(report.Say("letter.why-limits")))
	if l.depth != DepthPerson && len(x.Metrics) > 0 {
		t := &report.Table{Columns: []report.Column{{Title: report.Say("letter.figure"), Width: 3}, {Title: report.Say("letter.value"), Width: 1, Number: true}, {Title: report.Say("letter.control"), Width: 1, Number: true}}}
		for _, m := range x.Metrics {
			t.Rows = append(t.Rows, []report.Text{report.Named("name.metric-"+m.ID, m.ID), figure(m.Value), figure(m.Control)})
		}
		blocks = append(blocks, report.Block{Table: t})
	}
	l.doc.Add(report.Say("letter.why"), blocks...)
}

// spokenRune keeps marks of punctuation out of lists of words.
func spokenRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// strongestWords are up to five words of one sign, strongest first, for auditors with
// their values.
func strongestWords(words []WordView, sign float64, depth string) []string {
	list := slices.DeleteFunc(slices.Clone(words), func(w WordView) bool { return w.Attribution*sign <= 0 || !strings.ContainsFunc(w.Text, spokenRune) })
	slices.SortStableFunc(list, func(x, y WordView) int {
		switch d := math.Abs(y.Attribution) - math.Abs(x.Attribution); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	var out []string
	for _, w := range list[:min(len(list), strongest)] {
		s := strings.TrimSpace(w.Text)
		if depth != DepthPerson {
			s += " (" + figure(w.Attribution).Raw + ")"
		}
		out = append(out, s)
	}
	return out
}

// change says what would have changed the outcome, where somebody had that computed.
func (l *letter) change() {
	var blocks []report.Block
	for _, x := range l.all {
		if m, ok := explain.Lookup(x.Method); !ok || m.Family != "counterfactual" {
			continue
		}
		words := strongestWords(x.Words, 1, DepthPerson)
		switch {
		case slices.Contains(x.Warnings, explain.WarnNoFlip):
			blocks = append(blocks, report.Paragraph(report.Say("letter.no-flip")))
		case len(words) > 0:
			blocks = append(blocks, report.Paragraph(report.Say("letter.flip-"+x.Method)), report.List(fact("letter.flip-words", listText(words))))
		}
	}
	if len(blocks) == 0 {
		blocks = append(blocks, report.Caveat(report.Say("letter.flip-unknown")))
	}
	l.doc.Add(report.Say("letter.change"), blocks...)
}

func (l *letter) people() {
	if len(l.p.Reviews) == 0 {
		l.doc.Add(report.Say("letter.people"), report.Paragraph(report.Say("letter.nobody")))
		return
	}
	var blocks []report.Block
	for _, v := range l.p.Reviews {
		facts := []report.Fact{fact("letter.review", report.Say("letter.review-"+v.State))}
		if v.Decided != nil {
			facts = append(facts, fact("letter.when", timeText(*v.Decided)), fact("letter.review-label", report.Raw(v.Label)), fact("letter.review-reason", report.Raw(v.Comment)))
		}
		blocks = append(blocks, report.List(facts...))
	}
	l.doc.Add(report.Say("letter.people"), blocks...)
}

// evidence is where the log holds the decision, and the proof of it.
func (l *letter) evidence() {
	r := l.p.Receipt
	facts := []report.Fact{fact("letter.event", report.Raw(r.Event)), fact("letter.leaf", report.Raw(r.LeafHash)), fact("letter.log", report.Raw(r.Log))}
	if r.Index != nil {
		facts = append(facts, fact("letter.index", report.Number(*r.Index)))
	}
	blocks := []report.Block{report.List(facts...)}
	if r.Proof != "" {
		blocks = append(blocks, report.Paragraph(report.Say("letter.proof")), report.Block{Code: r.Proof})
	}
	for _, x := range l.all {
		blocks = append(blocks, report.List(report.Fact{Name: report.Named("name.method-"+x.Method, x.Method), Value: report.Raw(x.RecordHash)}))
	}
	l.doc.Add(report.Say("letter.evidence"), blocks...)
}

func (l *letter) rights() {
	l.doc.Add(report.Say("letter.rights"), report.Paragraph(report.Say("letter.rights-articles")), report.Paragraph(report.Say("letter.rights-contest")), report.Caveat(report.Say("letter.no-promise")))
}

// sealReport appends the records that the caller may see whole, and a note by which the log's
// key vouches for everything above it.
func (a *App) sealReport(d *report.Document, all []*ExplanationView) error {
	var blocks []report.Block
	for _, x := range all {
		if len(x.Record) > 0 {
			blocks = append(blocks, report.Block{Code: string(x.Record)})
		}
	}
	if len(blocks) > 0 {
		d.Add(report.Say("letter.records"), blocks...)
	}
	d.Created = audit.FormatTime(a.now())
	hash, err := d.Hash()
	if err != nil {
		return err
	}
	signed, err := audit.SignNote("vitrine.report/v1\n"+a.log.Origin()+"\n"+d.Created+"\n"+hash+"\n", a.log.Signer())
	if err != nil {
		return err
	}
	d.Add(report.Say("letter.seal"), report.Paragraph(report.Say("letter.seal-what")), report.Block{Code: string(signed)})
	return nil
}
