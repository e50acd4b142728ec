package web

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"vitrine/audit/report"
	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/views/pdf"
	"vitrine/web/app"
)

// solid is text without the white space that a page or a PDF puts between lines.
func solid(s string) string { return strings.Join(strings.Fields(s), "") }

// extract is what pdftotext reads of each page, in the order in which it was drawn.
func extract(t *testing.T, data []byte, pages int) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.pdf")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var out []string
	for n := 1; n <= pages; n++ {
		text, err := exec.Command("pdftotext", "-raw", "-f", strconv.Itoa(n), "-l", strconv.Itoa(n), file, "-").Output()
		if err != nil {
			t.Fatalf("pdftotext (of Debian's poppler-utils): %v", err)
		}
		out = append(out, solid(string(text)))
	}
	return out
}

// spoken is what the document says, by the page's own mapping of missing characters.
func spoken(d *report.Document, lang string) string {
	ctx := i18n.With(context.Background(), lang)
	return solid(pdf.Printable(strings.Join(d.Words(func(t report.Text) string { return views.Say(ctx, t) }), " ")))
}

// sameWords wants a report's page and PDF to say what the document says, neither more
// nor less, and returns the number of pages.
func sameWords(t *testing.T, d *report.Document, lang string) int {
	t.Helper()
	want := spoken(d, lang)
	for _, open := range []string{"[letter.", "[report.", "[reports.", "[technical.", "[incident.", "[name.", "[audit.", "[ui."} {
		if strings.Contains(want, open) {
			t.Errorf("%s %s: a catalogue lacks %s…", d.Kind, lang, open)
		}
	}
	var page, file bytes.Buffer
	if err := views.WriteDocument(&page, d, lang); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(&page)
	if err != nil {
		t.Fatal(err)
	}
	if got := solid(pdf.Printable(doc.Find("article").Text())); got != want {
		t.Errorf("%s %s: the page says something else than the report: %s", d.Kind, lang, differ(got, want))
	}
	pages, err := views.WritePDF(&file, d, lang)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for i, text := range extract(t, file.Bytes(), len(pages)) {
		foot := solid(pdf.Printable(strings.Join(pages[i].Footer, "")))
		body, ok := strings.CutSuffix(text, foot)
		if !ok {
			t.Errorf("%s %s: page %d does not end with its footer %q", d.Kind, lang, i+1, foot)
		}
		// A table that goes on repeats its head; it stands once in the report.
		head := solid(strings.Join(pages[i].Repeated, ""))
		if body, ok = strings.CutPrefix(body, head); !ok {
			t.Errorf("%s %s: page %d does not begin with the head %q: %.80s", d.Kind, lang, i+1, head, body)
		}
		got += body
	}
	if got != want {
		t.Errorf("%s %s: the PDF says something else than the report: %s", d.Kind, lang, differ(got, want))
	}
	return len(pages)
}

// differ shows where two texts part.
func differ(got, want string) string {
	g, w := []rune(got), []rune(want)
	n := 0
	for n < len(g) && n < len(w) && g[n] == w[n] {
		n++
	}
	show := func(r []rune) string { return string(r[max(0, n-20):min(len(r), n+60)]) }
	return strconv.Quote(show(g)) + " in place of " + strconv.Quote(show(w))
}

// TestEveryReport makes every kind of report in every depth and language, from what a
// running program holds, and reads each form back.
func TestEveryReport(t *testing.T) {
	admin := program(t, policy.Admin)
	var p app.PredictionView
	admin.call(http.MethodPost, "/api/v1/predictions", obj{"model": "sentiment-minilm", "text": "A dull film, 但演员很好. Ř 𝄞 ☃", "explain": obj{"method": "occlusion"}}).into(t, &p)
	admin.call(http.MethodPost, "/api/v1/predictions/"+p.ID+"/explanations", obj{"method": "ablation-flip"})
	admin.call(http.MethodPost, "/api/v1/predictions/"+p.ID+"/reviews", obj{"reason": "is it?"})
	admin.logged("", 1)
	subject := map[string]string{"prediction": p.ID, "model": "sentiment-minilm"}
	for _, k := range app.ReportKinds() {
		for _, depth := range append(k.Depths, "")[:max(1, len(k.Depths))] {
			q := url.Values{}
			if s := subject[k.Subject]; s != "" {
				q.Set("subject", s)
			}
			if depth != "" {
				q.Set("depth", depth)
			}
			if k.ID == "incident" {
				q.Set("told", "The model praised what it should not.\n它不该这样。")
			}
			var d report.Document
			admin.call(http.MethodGet, "/api/v1/reports/"+k.ID+"?"+q.Encode(), nil).into(t, &d)
			if d.Kind != k.ID || d.Depth != depth || len(d.Sections) < 3 {
				t.Fatalf("%s: %+v", k.ID, d)
			}
			for _, lang := range i18n.Languages {
				n := sameWords(t, &d, lang)
				q.Set("format", "pdf")
				q.Set("language", lang)
				a := admin.call(http.MethodGet, "/api/v1/reports/"+k.ID+"?"+q.Encode(), nil)
				if a.status != http.StatusOK || !bytes.HasPrefix(a.body, []byte("%PDF-")) || n == 0 {
					t.Errorf("%s: no PDF: %d %.100s", k.ID, a.status, a.body)
				}
				if dir := os.Getenv("VITRINE_REPORTS"); dir != "" {
					if err := os.WriteFile(filepath.Join(dir, k.ID+depth+lang+".pdf"), a.body, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

// TestLongReport: a thousand rows break across pages, nothing is lost, and what is not
// printed is counted.
func TestLongReport(t *testing.T) {
	r := &report.Report{Lang: "en", Created: "2026-11-24T14:14:57.000Z", Events: 2500, Omitted: 500, Denied: 1200, FirstTime: "2026-11-23T14:14:56.000Z", LastTime: "2026-11-24T14:14:56.000Z"}
	for n := range report.MaxLines {
		l := report.Line{Index: int64(n), Time: "2026-11-24T14:14:56.000Z", Code: "PREDICTION.MADE.OK", Actor: "user:01JD3Q0000000000000000LINW", Object: "model:sentiment-minilm", Effect: []string{"allow", "deny", ""}[n%3]}
		r.Lines = append(r.Lines, l)
		if n < 1100 {
			r.Refusals = append(r.Refusals, l)
		}
	}
	for _, lang := range i18n.Languages {
		if n := sameWords(t, r.Document(), lang); n < 40 {
			t.Errorf("%s: only %d pages", lang, n)
		}
	}
}
