package views

import (
	"html"
	"net/url"
	"regexp"
	"strings"
)

// Markdown renders the part of Markdown that model cards use: headings,
// paragraphs, lists, tables, fenced code, emphasis, code and links. Everything
// else is text. Raw HTML in the source is escaped; a link is kept only with an
// http or https address, so that a card cannot carry script.
// Headings begin two levels down, below the page's own.
func Markdown(src string) string {
	src = strings.ReplaceAll(src, "\x00", "")
	if rest, ok := strings.CutPrefix(src, "---\n"); ok { // front matter is for machines
		if _, body, ok := strings.Cut(rest, "\n---"); ok {
			src = body
		}
	}
	r := &mdWriter{}
	for line := range strings.Lines(src) {
		r.line(strings.TrimRight(line, "\r\n"))
	}
	r.close()
	if r.fence {
		r.b.WriteString("</pre>")
	}
	return r.b.String()
}

// mdWriter is the state between lines: what is open.
type mdWriter struct {
	b     strings.Builder
	para  []string
	list  string // "ul" or "ol"
	table [][]string
	fence bool
}

var (
	mdHeading = regexp.MustCompile(`^(#{1,6})\s+(.*?)\s*#*$`)
	mdBullet  = regexp.MustCompile(`^\s*[-*+]\s+(.*)$`)
	mdNumber  = regexp.MustCompile(`^\s*\d{1,3}[.)]\s+(.*)$`)
	mdRule    = regexp.MustCompile(`^\s*\|?[\s:|-]+\|[\s:|-]*$`)
)

func (r *mdWriter) line(s string) {
	if strings.HasPrefix(strings.TrimSpace(s), "```") {
		r.close()
		if r.fence {
			r.b.WriteString("</pre>")
		} else {
			r.b.WriteString(`<pre class="code" tabindex="0">`)
		}
		r.fence = !r.fence
		return
	}
	if r.fence {
		r.b.WriteString(html.EscapeString(s) + "\n")
		return
	}
	trimmed := strings.TrimSpace(s)
	switch {
	case trimmed == "":
		r.close()
	case strings.HasPrefix(trimmed, "|"):
		r.flushPara()
		r.closeList()
		r.table = append(r.table, mdCells(trimmed))
	case mdHeading.MatchString(trimmed):
		r.close()
		m := mdHeading.FindStringSubmatch(trimmed)
		level := string(rune('0' + min(6, len(m[1])+2)))
		r.b.WriteString("<h" + level + ">" + mdInline(m[2]) + "</h" + level + ">\n")
	case mdBullet.MatchString(s):
		r.item("ul", mdBullet.FindStringSubmatch(s)[1])
	case mdNumber.MatchString(s):
		r.item("ol", mdNumber.FindStringSubmatch(s)[1])
	default:
		r.closeTable()
		r.para = append(r.para, trimmed)
	}
}

func (r *mdWriter) item(kind, text string) {
	r.closeTable()
	if r.list == "" {
		r.flushPara()
	}
	if r.list != kind {
		r.closeList()
		r.list = kind
		r.b.WriteString("<" + kind + ">\n")
	} else {
		r.flushItem()
	}
	r.para = []string{text}
}

func (r *mdWriter) flushItem() {
	if len(r.para) > 0 {
		r.b.WriteString("<li>" + mdInline(strings.Join(r.para, " ")) + "</li>\n")
		r.para = nil
	}
}

func (r *mdWriter) flushPara() {
	if len(r.para) > 0 && r.list == "" {
		r.b.WriteString("<p>" + mdInline(strings.Join(r.para, " ")) + "</p>\n")
		r.para = nil
	}
}

func (r *mdWriter) closeList() {
	if r.list != "" {
		r.flushItem()
		r.b.WriteString("</" + r.list + ">\n")
		r.list = ""
	}
}

func (r *mdWriter) closeTable() {
	if len(r.table) == 0 {
		return
	}
	// A table without column names is a list of facts: the first cell names the rest.
	unnamed, body := strings.Join(r.table[0], "") == "", false
	r.b.WriteString(`<div class="scroll"><table class="tbl tight">`)
	for i, row := range r.table {
		if i == 1 && mdRule.MatchString("|"+strings.Join(row, "|")+"|") || i == 0 && unnamed {
			continue
		}
		cell := "td"
		if i == 0 {
			cell = `th scope="col"`
			r.b.WriteString("<thead>")
		} else if !body {
			r.b.WriteString("<tbody>")
			body = true
		}
		r.b.WriteString("<tr>")
		for j, c := range row {
			switch {
			case i > 0 && j == 0 && unnamed:
				r.b.WriteString(`<th scope="row">` + mdInline(c) + "</th>")
			case c == "" && i == 0: // a heading without words is none
				r.b.WriteString("<td></td>")
			default:
				r.b.WriteString("<" + cell + ">" + mdInline(c) + "</" + cell[:2] + ">")
			}
		}
		r.b.WriteString("</tr>")
		if i == 0 {
			r.b.WriteString("</thead>")
		}
	}
	if body {
		r.b.WriteString("</tbody>")
	}
	r.b.WriteString("</table></div>\n")
	r.table = nil
}

func (r *mdWriter) close() {
	r.closeTable()
	r.closeList()
	r.flushPara()
}

func mdCells(s string) []string {
	parts := strings.Split(strings.Trim(s, "|"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

var (
	mdCode = regexp.MustCompile("`([^`]+)`")
	mdLink = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)\)`)
	mdBold = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	mdEmph = regexp.MustCompile(`(^|[\s(])[*_]([^*_\s][^*_]*)[*_]([\s).,;:!?]|$)`)
)

// mdInline escapes first and only then puts tags around what it recognises; code
// is set aside so that nothing inside it is taken for emphasis.
func mdInline(s string) string {
	var code []string
	s = mdCode.ReplaceAllStringFunc(s, func(m string) string {
		code = append(code, "<code>"+html.EscapeString(m[1:len(m)-1])+"</code>")
		return "\x00"
	})
	s = html.EscapeString(s)
	s = mdLink.ReplaceAllStringFunc(s, func(m string) string {
		p := mdLink.FindStringSubmatch(m)
		u, err := url.Parse(html.UnescapeString(p[2]))
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return p[1]
		}
		return `<a href="` + html.EscapeString(u.String()) + `" rel="noreferrer">` + p[1] + `</a>`
	})
	s = mdBold.ReplaceAllString(s, "<strong>$1</strong>")
	s = mdEmph.ReplaceAllString(s, "$1<em>$2</em>$3")
	if len(code) == 0 {
		return s
	}
	var b strings.Builder
	for i, part := range strings.Split(s, "\x00") {
		if i > 0 && i <= len(code) {
			b.WriteString(code[i-1])
		}
		b.WriteString(part)
	}
	return b.String()
}
