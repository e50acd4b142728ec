package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vitrine/policy"
	"vitrine/web/app"
)

// An analyst asks on the prediction's page, a reviewer starts and overrides, and the
// prediction says so to everybody.
func TestReviewPages(t *testing.T) {
	analyst, reviewer := visit(t, policy.Analyst), visit(t, policy.Reviewer)
	var p app.PredictionView
	program(t, policy.Analyst).call(http.MethodPost, "/api/v1/predictions", obj{"model": "sentiment-minilm", "text": "What a film."}).into(t, &p)
	status, doc := analyst.post("/predictions/"+p.ID+"/reviews", url.Values{"reason": {"irony, I think"}})
	if status != http.StatusOK || !strings.Contains(doc.Find("[aria-labelledby=reviews]").Text(), "irony, I think") {
		t.Fatalf("asking: %d %.300s", status, doc.Find("main").Text())
	}
	if status, _ := analyst.get("/reviews"); status != http.StatusForbidden {
		t.Error("an analyst sees the queue:", status)
	}
	var link string
	_, doc = reviewer.get("/reviews")
	for _, row := range doc.Find("tbody tr").EachIter() {
		if strings.Contains(row.Text(), p.ID) {
			link, _ = row.Find("a").Attr("href")
		}
	}
	if status, doc = reviewer.get(link); link == "" || status != http.StatusOK || doc.Find("form[action$='/start']").Length() != 1 {
		t.Fatalf("the case: %q %d %.300s", link, status, doc.Find("main").Text())
	}
	if _, doc = reviewer.post(link+"/start", nil); doc.Find("#verdict").Length() != 1 {
		t.Fatalf("started: %.300s", doc.Find("main").Text())
	}
	label, _ := doc.Find("#label option:nth-child(2)").Attr("value")
	form := url.Values{"verdict": {"override"}, "label": {p.Output.Labels[0].Label}, "reason": {"it praises the film"}}
	if status, doc = reviewer.post(link, form); status != http.StatusUnprocessableEntity || doc.Find(".note.is-bad").Length() != 1 || doc.Find("#reason").Text() != "it praises the film" {
		t.Fatalf("overridden with the model's own label: %d %.300s", status, doc.Find("main").Text())
	}
	form.Set("label", label)
	if status, doc = reviewer.post(link, form); status != http.StatusOK || !strings.Contains(doc.Find("main").Text(), label) {
		t.Fatalf("overridden: %d %.300s", status, doc.Find("main").Text())
	}
	if _, doc = analyst.get("/predictions/" + p.ID); !strings.Contains(doc.Find("[aria-labelledby=reviews]").Text(), "it praises the film") {
		t.Error("the prediction does not say what the reviewer said")
	}
	if _, doc = reviewer.get("/reviews?state=decided"); !strings.Contains(doc.Find("tbody").Text(), p.ID) {
		t.Error("the decided case is not listed")
	}
}

// A reviewer's stop button holds a model on every road; only an administrator starts it.
func TestStopPages(t *testing.T) {
	reviewer, analyst, admin := visit(t, policy.Reviewer), program(t, policy.Analyst), visit(t, policy.Admin)
	const model = "/models/digits-resnet"
	status, doc := reviewer.post(model+"/stop", url.Values{"reason": {"it reads 7 as 1"}})
	if status != http.StatusOK || !strings.Contains(doc.Find(".note.is-bad").Text(), "it reads 7 as 1") || doc.Find("form[action$='/start']").Length() != 0 {
		t.Fatalf("stopped: %d %.300s", status, doc.Find("main").Text())
	}
	for _, path := range []string{"/api/v1/predictions", "/hf/models/digits-resnet"} {
		body := any(obj{"model": "digits-resnet", "image": []byte("x")})
		if strings.HasPrefix(path, "/hf/") {
			body = obj{"inputs": "eA=="}
		}
		if a := analyst.call(http.MethodPost, path, body); a.status != http.StatusConflict || !strings.Contains(string(a.body), "model_stopped") {
			t.Errorf("%s answers though the model is stopped: %d %.200s", path, a.status, a.body)
		}
	}
	if a := program(t, policy.Reviewer).call(http.MethodPost, "/api/v1/models/digits-resnet/start", obj{"reason": "fine"}); a.status != http.StatusForbidden {
		t.Error("a reviewer starts a model:", a.status)
	}
	if status, doc = admin.post(model+"/start", url.Values{"reason": {"mended"}}); status != http.StatusOK || !strings.Contains(doc.Find("main").Text(), "mended") || doc.Find("form[action$='/stop']").Length() != 1 {
		t.Fatalf("started: %d %.300s", status, doc.Find("main").Text())
	}
}

// The wizard shows a report before it is taken along.
func TestReportPages(t *testing.T) {
	auditor, analyst := visit(t, policy.Auditor), visit(t, policy.Analyst)
	if _, doc := analyst.get("/reports"); doc.Find("nav.tabs a").Length() != 2 {
		t.Errorf("an analyst is offered %s", doc.Find("nav.tabs").Text())
	}
	status, doc := auditor.post("/reports", url.Values{"kind": {"incident"}, "told": {"write to ada@example.org"}})
	if status != http.StatusOK || doc.Find("article.doc h2").Length() < 4 || strings.Contains(doc.Find("article.doc").Text(), "ada@example.org") {
		t.Fatalf("preview: %d %.300s", status, doc.Find("main").Text())
	}
	if status, doc = auditor.post("/reports", url.Values{"kind": {"letter"}, "subject": {"nothing"}}); status != http.StatusNotFound || doc.Find(".note.is-bad").Length() != 1 || doc.Find("#subject").AttrOr("value", "") != "nothing" {
		t.Errorf("a letter about nothing: %d %.300s", status, doc.Find("main").Text())
	}
	if status, doc = auditor.post("/reports", url.Values{"kind": {"trail"}, "after": {"yesterday"}}); status != http.StatusBadRequest || doc.Find(".note.is-bad").Length() != 1 {
		t.Errorf("a day that is none: %d %.300s", status, doc.Find("main").Text())
	}
}
