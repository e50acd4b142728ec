package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vitrine/explain"
	"vitrine/policy"
)

// TestMethodPages: the catalogue lists every method that is registered, and each has its
// page.
func TestMethodPages(t *testing.T) {
	v := visit(t, policy.Analyst)
	status, doc := v.get("/methods")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	links := map[string]bool{}
	for _, a := range doc.Find("section table.flow th a").EachIter() {
		links[strings.TrimPrefix(a.AttrOr("href", ""), "/methods/")] = true
	}
	for _, id := range explain.IDs() {
		if !links[id] {
			t.Errorf("the catalogue does not list %s", id)
		}
	}
	for _, id := range []string{"integrated-gradients", "grad-cam", "attention"} {
		status, doc := v.get("/methods/" + id)
		if text := clean(doc.Find("main")); status != http.StatusOK || strings.Contains(text, "[catalogue.") || doc.Find("dl.kv dd").Length() < 5 {
			t.Errorf("%s: %d %.300s", id, status, text)
		}
	}
	if status, _ := v.get("/methods/magic"); status != http.StatusNotFound {
		t.Errorf("a method that does not exist: %d", status)
	}
	if doc.Find("table.data tbody tr").Length() == 0 {
		t.Error("no faithfulness table")
	}
}

// TestReplayAndBatchPages: the button that makes an explanation again, and a data set from
// the form to its sums.
func TestReplayAndBatchPages(t *testing.T) {
	v := visit(t, policy.ModelOwner)
	_, doc := v.post("/predictions", url.Values{"kind": {"text"}, "model": {"sentiment-minilm"}, "purpose": {"research"}, "text": {"A fine film."}, "method": {"saliency"}})
	action := doc.Find("form[action$='/replay']").AttrOr("action", "")
	if action == "" {
		t.Fatalf("no button to replay: %.300s", clean(doc.Find("main")))
	}
	if status, doc := v.post(action, nil); status != http.StatusOK || !strings.Contains(clean(doc.Find(".note")), "Identical bits") {
		t.Fatalf("replay: %d %.300s", status, clean(doc.Find("main")))
	}
	prediction, _, _ := strings.Cut(doc.Url.Path, "?")
	if status, doc := v.get(prediction + "/compare"); status != http.StatusOK || !strings.Contains(clean(doc.Find("main")), "Two explanations") {
		t.Fatalf("nothing to compare: %d %.300s", status, clean(doc.Find("main")))
	}
	v.post(prediction+"/explanations", url.Values{"method": {"occlusion"}})
	if status, doc := v.get(prediction + "/compare"); status != http.StatusOK || doc.Find("section table.data").Length() != 3 || strings.Contains(clean(doc.Find("main")), "[compare.") {
		t.Fatalf("compare: %d %.500s", status, clean(doc.Find("main")))
	}
	if status, doc := v.get(prediction + "/compare?show=differences"); status != http.StatusOK || doc.Find("#words").Length() != 1 {
		t.Fatalf("differences only: %d", status)
	}
	_, doc = v.upload("/batch", map[string]string{"model": "sentiment-minilm@1.0.0", "purpose": "research", "method": "input-x-gradient"}, "data", "set.csv",
		[]byte("text,label,slice\nA wonderful film.,positive,a\nA terrible film.,negative,b\n"))
	if !strings.HasPrefix(doc.Url.Path, "/jobs/") {
		t.Fatalf("on %s: %.300s", doc.Url.Path, clean(doc.Find("main")))
	}
	for deadline := time.Now().Add(time.Minute); doc.Find("progress").Length() > 0 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		_, doc = v.get(doc.Url.Path)
	}
	if text := clean(doc.Find("main")); !strings.Contains(text, "2 rows, 0 failed") || !strings.Contains(text, "wonderful") || strings.Contains(text, "[jobs.") {
		t.Fatalf("%.800s", text)
	}
	job := doc.Url.Path
	if status, doc := v.get("/jobs"); status != http.StatusOK || doc.Find("table.tbl tbody tr").Length() == 0 {
		t.Fatalf("jobs: %d", status)
	}
	if status, _ := visit(t, policy.Analyst).get(job); status != http.StatusForbidden {
		t.Errorf("somebody else's job: %d", status)
	}
}
