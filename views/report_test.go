package views

import (
	"bytes"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"vitrine/audit"
	"vitrine/audit/report"
)

func sampleReport(lang string) *report.Report {
	return &report.Report{
		Lang: lang, Workspace: "01JD3Q00000000000000000000", Log: "vitrine.local/log/x", Fingerprint: "1cecaeb121e5", Created: "2026-11-24T14:14:57.000Z",
		First: 0, Last: 2, Size: 3, Root: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", Signed: "2026-11-24T14:14:57.000Z",
		Events: 3, Allowed: 2, Denied: 1, Kinds: []report.Tally{{Value: "PREDICTION.MADE.OK", N: 2}, {Value: "PREDICTION.MADE.DENIED", N: 1}},
		Days:     []report.Day{{Date: "2026-11-23", Events: 1}, {Date: "2026-11-24", Events: 2, Denied: 1}},
		Models:   []report.ModelUse{{Model: audit.Model{ID: "sentiment-minilm", Version: "1.0.0", Digest: strings.Repeat("ab", 32)}, Uses: 2, Card: "models/x.md"}},
		Policies: []report.PolicyUse{{Version: 1, Hash: strings.Repeat("cd", 32), Uses: 3, File: "policies/x.json"}},
		Refusals: []report.Line{{Index: 2, Time: "2026-11-24T14:14:56.000Z", Code: "PREDICTION.MADE.DENIED", Actor: "user:01JD3Q0000000000000000LINW", Action: "predict", Object: "model:sentiment-minilm", Effect: "deny", Reason: "denied-by-rule", Rules: []string{"r-901"}, PolicyVersion: 1, Purpose: "credit-scoring"}},
		Lines:    []report.Line{{Index: 0, Time: "2026-11-23T14:14:56.000Z", Code: "PREDICTION.MADE.OK", Actor: "system", Object: "<script>alert(1)</script>", Effect: "allow", Hash: strings.Repeat("ef", 32)}},
		Omitted:  2, FirstTime: "2026-11-23T14:14:56.000Z", LastTime: "2026-11-24T14:14:56.000Z",
	}
}

// TestReportTravelsAlone: one file, nothing fetched, nothing executed, the same
// facts in both languages.
func TestReportTravelsAlone(t *testing.T) {
	for _, lang := range []string{"en", "zh-Hans"} {
		var b bytes.Buffer
		if err := WriteReport(&b, sampleReport(lang)); err != nil {
			t.Fatal(err)
		}
		doc, err := goquery.NewDocumentFromReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		if doc.Find("script, link, img, iframe, [src], [style], form").Length() > 0 {
			t.Errorf("%s: the report needs something from outside", lang)
		}
		if doc.Find("html").AttrOr("lang", "") != lang || doc.Find("h1").Length() != 1 {
			t.Errorf("%s: language or heading", lang)
		}
		text := doc.Find("main").Text()
		for _, want := range []string{"r-901", "sentiment-minilm", "1cecaeb121e5", "vitrine verify", "<script>alert(1)</script>"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the report does not say %q", lang, want)
			}
		}
		if strings.Contains(text, "[report.") || strings.Contains(text, "[name.") {
			t.Errorf("%s: a text is missing", lang)
		}
	}
}

func TestReportOfAnEmptyRange(t *testing.T) {
	var b bytes.Buffer
	if err := WriteReport(&b, &report.Report{Lang: "en", First: 5, Last: 4}); err != nil {
		t.Fatal(err)
	}
}
