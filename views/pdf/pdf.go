// Package pdf draws a report as a PDF: A4 pages, one embedded font with Chinese
// characters, every character kept (one that the font lacks is written U+XXXX), tables
// that break across pages with their heads repeated, and a footer on every page with the
// record's hash and the page's number.
package pdf

import (
	"fmt"
	"io"

	"github.com/signintech/gopdf"

	"vitrine/audit"
	"vitrine/audit/report"
)

// Page is what a page of the file says beside the document.
type Page struct {
	Repeated []string // heads of a table that goes on
	Footer   []string
}

// Words are the fixed texts of a page's edge, in the report's language.
type Words struct {
	Record string                         // before the hash
	Number func(n, of int) (page string)  // "page 2 of 5"
	Say    func(t report.Text) (s string) // any text of the document
}

// Write draws d. The same document and words give the same bytes.
func Write(w io.Writer, d *report.Document, words Words) ([]Page, error) {
	f, err := newFace()
	if err != nil {
		return nil, err
	}
	hash := d.Record
	if hash == "" {
		if hash, err = d.Hash(); err != nil {
			return nil, err
		}
	}
	l := newLayout(f, words.Say)
	l.document(d)
	pages := make([]Page, len(l.pages))
	for i := range l.pages {
		pages[i] = Page{Repeated: l.pages[i].repeated, Footer: []string{words.Record + " " + hash, words.Number(i+1, len(l.pages))}}
	}
	if err := emit(w, f, l, d, pages); err != nil {
		return nil, fmt.Errorf("pdf: writing %s: %w", d.Kind, err)
	}
	return pages, nil
}

// emit writes what was laid out.
func emit(w io.Writer, f *face, l *layout, d *report.Document, pages []Page) error {
	var g gopdf.GoPdf
	g.Start(gopdf.Config{PageSize: gopdf.Rect{W: pageWidth, H: pageHeight}})
	created, err := audit.ParseTime(d.Created)
	if err != nil {
		return err
	}
	g.SetInfo(gopdf.PdfInfo{Title: l.plain(d.Title), Creator: "Vitrine", Producer: "Vitrine", CreationDate: created})
	if err := g.AddTTFFontData(family, f.data); err != nil {
		return err
	}
	for i, p := range l.pages {
		g.AddPage()
		for _, o := range p.ops {
			if err := draw(&g, o); err != nil {
				return err
			}
		}
		foot := pageHeight - margin + 20
		rule := op{x: margin, y: foot - 6, w: pageWidth - 2*margin, h: 0.5, ink: faint}
		left := op{text: pages[i].Footer[0], x: margin, y: foot, size: 6.5, ink: soft}
		right := op{text: pages[i].Footer[1], y: foot, size: 6.5, ink: soft}
		right.x = pageWidth - margin - l.width(right.text, right.size)
		for _, o := range []op{rule, left, right} {
			if err := draw(&g, o); err != nil {
				return err
			}
		}
	}
	_, err = g.WriteTo(w)
	return err
}

func draw(g *gopdf.GoPdf, o op) error {
	if o.text == "" {
		g.SetFillColor(o.ink[0], o.ink[1], o.ink[2])
		g.RectFromUpperLeftWithStyle(o.x, o.y, o.w, o.h, "F")
		return nil
	}
	if err := g.SetFont(family, "", o.size); err != nil {
		return err
	}
	g.SetTextColor(o.ink[0], o.ink[1], o.ink[2])
	g.SetXY(o.x, o.y)
	return g.Cell(nil, o.text)
}
