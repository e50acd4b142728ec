package app

import (
	"context"
	"strings"

	"vitrine/audit/report"
	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// The model card and technical file: what is registered, what its card says under each
// heading of AI Act Annex IV, how it was used and what people did with its answers. A
// heading that nothing recorded answers says so.
func init() {
	registerReport(ReportKind{ID: "technical", Action: policy.ModelRead, Subject: "model", build: buildTechnical})
}

// annexIV are the points of the Annex that a model card can answer, and words by which a
// card's headings answer them.
var annexIV = []struct {
	key   string
	words []string
}{
	{"technical.annex-1", []string{"intended", "use", "purpose", "用途"}},
	{"technical.annex-2", []string{"training", "data", "architecture", "train", "训练", "数据"}},
	{"technical.annex-3", []string{"limit", "performance", "evaluation", "result", "accuracy", "bias", "限制", "评估"}},
	{"technical.annex-4", []string{"metric", "指标"}},
	{"technical.annex-5", []string{"risk", "风险"}},
	{"technical.annex-6", []string{"change", "version", "history", "变更"}},
}

func buildTechnical(ctx context.Context, a *App, c identity.Caller, r ReportRequest) (*report.Document, error) {
	m, err := a.Model(ctx, c, r.Subject)
	if err != nil {
		return nil, err
	}
	d := &report.Document{Subject: "model:" + m.Name, Record: m.Digest, Title: report.Say("technical.title", "model", m.Name), Lede: report.Say("technical.lede", "version", m.Version)}
	d.Add(report.Say("technical.identity"), report.List(
		fact("technical.name", modelText(m.ModelRef)), fact("technical.digest", report.Raw(m.Digest)), fact("technical.task", report.Named("name.task-"+m.Task, m.Task)),
		fact("technical.architecture", report.Raw(m.Architecture)), fact("technical.parameters", report.Number(m.Parameters)), fact("technical.dtype", report.Raw(m.DType)),
		fact("technical.labels", listText(m.Labels)), fact("technical.source", report.Raw(m.Source)), fact("technical.added", timeText(m.Added)), fact("technical.added-by", report.Raw(m.AddedBy)),
		fact("technical.problem", report.Raw(m.Problem))))
	sections := cardSections(m.Card)
	for _, point := range annexIV {
		d.Add(report.Say(point.key), annexBlocks(sections, point.words)...)
	}
	if err := a.technicalUse(ctx, d, m); err != nil {
		return nil, err
	}
	t := &report.Table{Columns: []report.Column{{Title: report.Say("technical.file"), Width: 2}, {Title: report.Say("technical.bytes"), Width: 1, Number: true}, {Title: report.Say("technical.sha256"), Width: 4}}}
	for _, f := range m.Files[:min(len(m.Files), report.MaxPrinted)] {
		t.Rows = append(t.Rows, []report.Text{report.Raw(f.Path), report.Number(f.Size), report.Raw(f.SHA256)})
	}
	d.Add(report.Say("technical.files"), report.Block{Table: t})
	d.Add(report.Say("technical.card"), cardBlocks(m.Card)...)
	d.Add(report.Say("letter.rights"), report.Paragraph(report.Say("technical.articles")), report.Caveat(report.Say("letter.no-promise")))
	return d, nil
}

// technicalUse is what the log and the reviews know of a model's work.
func (a *App) technicalUse(ctx context.Context, d *report.Document, m *ModelView) error {
	counts, err := a.log.Facets(ctx, auditstore.Query{Model: m.Name})
	if err != nil {
		return err
	}
	t := &report.Table{Columns: []report.Column{{Title: report.Say("audit.event"), Width: 5}, {Title: report.Say("report.count"), Width: 1, Number: true}}}
	for _, k := range counts.Kinds {
		t.Rows = append(t.Rows, []report.Text{report.Named("name.event-"+k.Value, k.Value), report.Number(k.N)})
	}
	blocks := []report.Block{report.List(fact("technical.predictions", report.Number(m.Predictions)))}
	if len(t.Rows) > 0 {
		blocks = append(blocks, report.Block{Table: t})
	}
	d.Add(report.Say("technical.use"), blocks...)
	stops, err := a.store.StopsOf(ctx, a.workspace, m.Name)
	if err != nil {
		return err
	}
	blocks = nil
	for i := range stops {
		blocks = append(blocks, stopBlock(stopView(&stops[i])))
	}
	if len(blocks) == 0 {
		blocks = append(blocks, report.Paragraph(report.Say("technical.never-stopped")))
	}
	d.Add(report.Say("technical.oversight"), blocks...)
	return nil
}

func stopBlock(s StopView) report.Block {
	facts := []report.Fact{fact("technical.stopped", timeText(s.Stopped)), fact("technical.by", report.Raw(s.By)), fact("technical.reason", report.Raw(s.Reason))}
	if s.Started != nil {
		facts = append(facts, fact("technical.started", timeText(*s.Started)), fact("technical.by", report.Raw(s.StartedBy)), fact("technical.reason", report.Raw(s.StartedReason)))
	}
	return report.List(facts...)
}

// cardSection is a heading of a card with the text under it.
type cardSection struct{ title, text string }

// cardSections splits a card at its Markdown headings; a YAML head is left out.
func cardSections(card string) (out []cardSection) {
	if rest, ok := strings.CutPrefix(card, "---\n"); ok {
		if _, body, ok := strings.Cut(rest, "\n---\n"); ok {
			card = body
		}
	}
	for _, line := range strings.Split(card, "\n") {
		if t := strings.TrimLeft(line, "#"); t != line && strings.HasPrefix(t, " ") {
			out = append(out, cardSection{title: strings.TrimSpace(t)})
		} else if len(out) > 0 {
			out[len(out)-1].text += line + "\n"
		} else if strings.TrimSpace(line) != "" {
			out = append(out, cardSection{text: line + "\n"})
		}
	}
	return out
}

func annexBlocks(sections []cardSection, words []string) (blocks []report.Block) {
	for _, s := range sections {
		text := strings.TrimSpace(s.text)
		if text == "" {
			continue
		}
		for _, w := range words {
			if strings.Contains(strings.ToLower(s.title), w) {
				blocks = append(blocks, report.List(report.Fact{Name: report.Raw(s.title), Value: report.Raw(unwrap(text))}))
				break
			}
		}
	}
	if len(blocks) == 0 {
		blocks = append(blocks, report.Caveat(report.Say("technical.not-documented")))
	}
	return blocks
}

// unwrap joins the lines of a paragraph or list item that Markdown only wrapped.
func unwrap(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		t := strings.TrimSpace(line)
		begins := t == "" || strings.ContainsRune("-*|0123456789#>", rune(t[0]))
		switch {
		case i == 0:
		case begins || strings.HasSuffix(b.String(), "\n"):
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(t)
	}
	return b.String()
}

func cardBlocks(card string) (blocks []report.Block) {
	for _, s := range cardSections(card) {
		if s.title != "" {
			blocks = append(blocks, report.Paragraph(report.Raw(s.title)))
		}
		if text := strings.TrimSpace(s.text); text != "" {
			blocks = append(blocks, report.Block{Code: text})
		}
	}
	if len(blocks) == 0 {
		blocks = append(blocks, report.Caveat(report.Say("technical.no-card")))
	}
	return blocks
}
