package report

import (
	"encoding/hex"
	"iter"

	"vitrine/audit"
)

// MaxPrinted bounds the entries that a document lists one by one; the rest is in the
// files.
const MaxPrinted = 1000

// Summarise fills a report from entries in the order of their indexes.
func (r *Report) Summarise(rows iter.Seq2[audit.Leaf, error]) error {
	b := newBuilder(r)
	_, err := each(rows, nil, func(l audit.Leaf) error {
		e, err := audit.ParseLeaf(l.Bytes)
		if err != nil {
			return err
		}
		h := audit.LeafHash(l.Bytes)
		b.add(l.Index, e, hex.EncodeToString(h[:]))
		return nil
	})
	b.finish()
	return err
}

// Document is the report as any renderer draws it: a summary and at most MaxPrinted
// entries.
func (r *Report) Document() *Document {
	d := &Document{Kind: "trail", Workspace: r.Workspace, Created: r.Created, Title: Say("report.title"),
		Lede: Say("report.lede", "n", r.Events, "from", day(r.FirstTime), "to", day(r.LastTime))}
	d.Add(Say("report.what"), List(
		Fact{Say("report.entries"), Number(r.Events)}, Fact{Say("report.decisions"), Say("report.allowed", "n", r.Allowed)}, Fact{Say("report.refused"), Say("report.denied", "n", r.Denied)},
		Fact{Say("report.log-size"), Number(r.Size)}, Fact{Say("report.signed-at"), Raw(r.Signed)}, Fact{Say("report.made"), Raw(r.Created)}),
		Paragraph(Say("report.what-1")), Paragraph(Say("report.what-2", "n", r.Events, "denied", Number(r.Denied))), Paragraph(Say("report.what-3")), Caveat(Say("report.limits")))
	d.Add(Say("report.kinds"), r.kindTable(), r.dayTable())
	d.Add(Say("report.refusals", "n", r.Denied), append([]Block{Paragraph(Say("report.refusals-what"))}, r.refusalTable()...)...)
	d.Add(Say("report.models"), r.modelTables()...)
	d.Add(Say("report.all", "n", len(r.printed())), r.lineTable()...)
	d.Add(Say("report.check"), Paragraph(Say("report.check-what")), Block{Code: "vitrine verify pack.zip"}, Paragraph(Say("report.check-key")),
		List(Fact{Say("audit.origin"), Raw(r.Log)}, Fact{Say("audit.key"), Raw(r.Fingerprint)}, Fact{Say("audit.root"), Raw(r.Root)}, Fact{Say("ui.workspace"), Raw(r.Workspace)}))
	return d
}

func day(s string) string {
	if len(s) >= len("2006-01-02") {
		return s[:10]
	}
	return "–"
}

func stamp(s string) Text {
	if len(s) >= len("2006-01-02T15:04:05") {
		return Raw(s[:10] + " " + s[11:19])
	}
	return Raw(s)
}

func (r *Report) printed() []Line { return r.Lines[:min(len(r.Lines), MaxPrinted)] }

func (r *Report) kindTable() Block {
	t := &Table{Columns: []Column{{Title: Say("audit.event"), Width: 5}, {Title: Say("report.count"), Width: 1, Number: true}}}
	for _, k := range r.Kinds {
		t.Rows = append(t.Rows, []Text{eventName(k.Value), Number(k.N)})
	}
	return Block{Table: t}
}

func eventName(code string) Text { return Named("name.event-"+code, code) }

func (r *Report) dayTable() Block {
	t := &Table{Columns: []Column{{Title: Say("report.day"), Width: 2}, {Title: Say("report.entries"), Width: 1, Number: true}, {Title: Say("ui.denied"), Width: 1, Number: true}}}
	for _, x := range r.Days {
		t.Rows = append(t.Rows, []Text{Raw(x.Date), Number(x.Events), Number(x.Denied)})
	}
	return Block{Table: t}
}

func (r *Report) refusalTable() []Block {
	if len(r.Refusals) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{{Title: Say("audit.index"), Width: 1, Number: true}, {Title: Say("audit.time"), Width: 2}, {Title: Say("audit.actor"), Width: 3},
		{Title: Say("report.wanted"), Width: 3}, {Title: Say("report.why"), Width: 3}}}
	for _, l := range r.Refusals[:min(len(r.Refusals), MaxPrinted)] {
		t.Rows = append(t.Rows, []Text{Number(l.Index), stamp(l.Time), Raw(l.Actor), Raw(l.Action + " " + l.Object), Named("refused.reason-"+l.Reason, l.Reason)})
	}
	blocks := []Block{{Table: t}}
	if n := r.Denied - int64(len(t.Rows)); n > 0 {
		blocks = append(blocks, Caveat(Say("report.omitted", "n", n)))
	}
	return blocks
}

func (r *Report) modelTables() []Block {
	if len(r.Models)+len(r.Policies) == 0 {
		return []Block{Paragraph(Say("report.no-models"))}
	}
	t := &Table{Columns: []Column{{Title: Say("playground.model"), Width: 2}, {Title: Say("report.uses"), Width: 1, Number: true}, {Title: Say("models.digest"), Width: 4}}}
	for _, m := range r.Models {
		t.Rows = append(t.Rows, []Text{Raw(m.ID + " " + m.Version), Number(m.Uses), Raw(m.Digest)})
	}
	for _, p := range r.Policies {
		t.Rows = append(t.Rows, []Text{Say("policy.version", "v", Number(p.Version)), Number(p.Uses), Raw(p.Hash)})
	}
	return []Block{{Table: t}}
}

func (r *Report) lineTable() []Block {
	t := &Table{Columns: []Column{{Title: Say("audit.index"), Width: 1, Number: true}, {Title: Say("audit.time"), Width: 2}, {Title: Say("audit.event"), Width: 3},
		{Title: Say("audit.actor"), Width: 3}, {Title: Say("audit.object"), Width: 3}, {Title: Say("audit.decision"), Width: 1}}}
	for _, l := range r.printed() {
		effect := Raw("–")
		switch l.Effect {
		case "allow":
			effect = Say("ui.allowed")
		case "deny":
			effect = Say("ui.denied")
		}
		t.Rows = append(t.Rows, []Text{Number(l.Index), stamp(l.Time), eventName(l.Code), Raw(l.Actor), Raw(l.Object), effect})
	}
	blocks := []Block{{Table: t}}
	if n := r.Omitted + int64(len(r.Lines)-len(t.Rows)); n > 0 {
		blocks = append(blocks, Caveat(Say("report.omitted", "n", n)))
	}
	return blocks
}
