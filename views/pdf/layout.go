package pdf

import (
	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"vitrine/audit/report"
)

// Sizes in points.
const (
	pageWidth, pageHeight = 595.28, 841.89 // A4
	margin                = 56.0
	bottom                = pageHeight - margin
	leading               = 1.45 // line height in type sizes
	bodySize              = 9.5
	smallSize             = 7.5
	gutter                = 8.0 // between columns
	family                = "noto"
)

// ink is a colour, RGB.
type ink [3]uint8

var (
	black  = ink{0x1a, 0x1a, 0x1a}
	soft   = ink{0x5a, 0x5a, 0x5a}
	faint  = ink{0xc8, 0xc8, 0xc8}
	shade  = ink{0xf3, 0xf3, 0xf1}
	accent = ink{0x1f, 0x4f, 0x8f}
)

// op draws a line of text at its upper left corner, or with no text a filled box.
type op struct {
	text       string
	x, y, w, h float64
	size       float64
	ink        ink
}

// sheet is one page laid out.
type sheet struct {
	ops      []op
	repeated []string
}

// layout places a document on pages from top to bottom.
type layout struct {
	face  *face
	say   func(report.Text) string
	pages []*sheet
	y     float64
	known map[rune]float64 // advance of a character at size 1
}

func newLayout(f *face, say func(report.Text) string) *layout {
	l := &layout{face: f, say: say, known: map[rune]float64{}}
	l.turn()
	return l
}

// turn begins a page.
func (l *layout) turn() {
	l.pages = append(l.pages, &sheet{})
	l.y = margin
}

func (l *layout) page() *sheet { return l.pages[len(l.pages)-1] }

// room turns the page unless h fits below.
func (l *layout) room(h float64) {
	if l.y+h > bottom && l.y > margin {
		l.turn()
	}
}

// plain is what a text says, with every character that can be drawn.
func (l *layout) plain(t report.Text) string { return l.face.printable(l.say(t)) }

func (l *layout) advance(r rune, size float64) float64 {
	w, ok := l.known[r]
	if !ok {
		const unit = 1000
		g, err := l.face.font.GlyphIndex(&l.face.buffer, r)
		if err == nil {
			var a fixed.Int26_6
			if a, err = l.face.font.GlyphAdvance(&l.face.buffer, g, fixed.I(unit), font.HintingNone); err == nil {
				w = float64(a) / 64 / unit
			}
		}
		l.known[r] = w
	}
	return w * size
}

func (l *layout) width(s string, size float64) (w float64) {
	for _, r := range s {
		w += l.advance(r, size)
	}
	return w
}

func (l *layout) lines(t report.Text, size, width float64) []string {
	return lines(l.plain(t), width, func(r rune) float64 { return l.advance(r, size) })
}

// put writes lines from (x, l.y) on, turning pages between them.
func (l *layout) put(list []string, x, size float64, colour ink) {
	for _, s := range list {
		l.room(size * leading)
		if s != "" {
			l.page().ops = append(l.page().ops, op{text: s, x: x, y: l.y, size: size, ink: colour})
		}
		l.y += size * leading
	}
}

func (l *layout) document(d *report.Document) {
	const text = pageWidth - 2*margin
	l.put(l.lines(d.Title, 19, text), margin, 19, black)
	if !d.Lede.Empty() {
		l.y += 4
		l.put(l.lines(d.Lede, 11, text), margin, 11, soft)
	}
	for _, s := range d.Sections {
		l.y += 16
		l.room(13*leading + 3*bodySize*leading) // a heading never ends a page
		l.put(l.lines(s.Title, 13, text), margin, 13, accent)
		l.y += 3
		for _, b := range s.Blocks {
			l.block(b, text)
			l.y += 6
		}
	}
}

func (l *layout) block(b report.Block, text float64) {
	switch {
	case b.Text != nil:
		l.put(l.lines(*b.Text, bodySize, text), margin, bodySize, black)
	case b.Note != nil:
		l.put(l.lines(*b.Note, bodySize, text-10), margin+10, bodySize, soft)
	case b.Table != nil:
		l.table(b.Table, text)
	case b.Code != "":
		l.put(l.lines(report.Raw(b.Code), smallSize, text-10), margin+10, smallSize, black)
	}
	if len(b.Facts) > 0 {
		l.facts(b.Facts, text)
	}
}

// facts are a table of two columns without a head.
func (l *layout) facts(list []report.Fact, text float64) {
	const names = 0.32
	for _, f := range list {
		l.row([]cell{
			{l.lines(f.Name, bodySize, text*names-gutter), margin, bodySize, soft},
			{l.lines(f.Value, bodySize, text*(1-names)), margin + text*names, bodySize, black},
		}, nil)
	}
}

// cell is one cell of a row, broken into lines.
type cell struct {
	lines []string
	x     float64
	size  float64
	ink   ink
}

// row draws cells side by side. A row that does not fit on the rest of a page goes to the
// next; one longer than a page goes on there. again draws the head of a new page.
func (l *layout) row(cells []cell, again func()) {
	height := 0.0
	for _, c := range cells {
		height = max(height, float64(len(c.lines))*c.size*leading)
	}
	if l.y+min(height, bottom-margin-60) > bottom && l.y > margin {
		l.turn()
		if again != nil {
			again()
		}
	}
	for {
		more, top, low := false, l.y, l.y
		for i := range cells {
			c := &cells[i]
			y := top
			for len(c.lines) > 0 && y+c.size*leading <= bottom {
				if c.lines[0] != "" {
					l.page().ops = append(l.page().ops, op{text: c.lines[0], x: c.x, y: y, size: c.size, ink: c.ink})
				}
				c.lines = c.lines[1:]
				y += c.size * leading
			}
			more, low = more || len(c.lines) > 0, max(low, y)
		}
		l.y = low + 2
		if !more {
			return
		}
		l.turn()
		if again != nil {
			again()
		}
	}
}

func (l *layout) table(t *report.Table, text float64) {
	total, x := 0.0, margin
	for _, c := range t.Columns {
		total += c.Width
	}
	left, width := make([]float64, len(t.Columns)), make([]float64, len(t.Columns))
	for i, c := range t.Columns {
		left[i], width[i] = x, text*c.Width/total-gutter
		x += text * c.Width / total
	}
	cells := func(texts func(i int) report.Text, colour ink) []cell {
		out := make([]cell, len(t.Columns))
		for i, c := range t.Columns {
			out[i] = cell{l.lines(texts(i), smallSize, width[i]), left[i], smallSize, colour}
			if c.Number && len(out[i].lines) == 1 {
				out[i].x += width[i] - l.width(out[i].lines[0], smallSize)
			}
		}
		return out
	}
	head := func() {
		row := cells(func(i int) report.Text { return t.Columns[i].Title }, soft)
		height := 0.0
		for _, c := range row {
			height = max(height, float64(len(c.lines))*c.size*leading)
		}
		l.page().ops = append(l.page().ops, op{x: margin - 3, y: l.y - 2, w: text + 3, h: height + 3, ink: shade})
		l.row(row, nil)
		l.y += 2
	}
	again := func() {
		for _, c := range t.Columns {
			l.page().repeated = append(l.page().repeated, l.lines(c.Title, smallSize, pageWidth)...)
		}
		head()
	}
	l.room(4 * smallSize * leading)
	head()
	for _, r := range t.Rows {
		l.row(cells(func(i int) report.Text { return r[i] }, black), again)
		l.page().ops = append(l.page().ops, op{x: margin - 3, y: l.y - 1, w: text + 3, h: 0.4, ink: faint})
		l.y += 1.5
	}
}
