package web

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

const canary = "canary.person@example.org"

// TestTextFromPreviewToProof walks the road of the playground without script:
// what is masked, the answer, why, and where it stands in the log.
func TestTextFromPreviewToProof(t *testing.T) {
	v := visit(t, "analyst")
	form := url.Values{"kind": {"text"}, "model": {"sentiment-minilm"}, "purpose": {"quality-review"}, "text": {"A wonderful film. Write to " + canary + "."}, "method": {"integrated-gradients"}}
	status, doc := v.post("/playground", form)
	if status != 200 || !strings.Contains(clean(doc.Find("#preview .paper").First()), "[EMAIL]") {
		t.Fatalf("preview: status %d, %s", status, clean(doc.Find("#preview")))
	}
	status, doc = v.post("/predictions", form)
	if status != 200 || !strings.HasPrefix(doc.Url.Path, "/predictions/") {
		t.Fatalf("run: status %d on %s: %.400s", status, doc.Url.Path, clean(doc.Find("main")))
	}
	if strings.Contains(clean(doc.Selection), canary) {
		t.Error("the page shows what was masked")
	}
	if got := clean(doc.Find("h1").First()); !strings.HasPrefix(got, "positive") {
		t.Errorf("outcome %q", got)
	}
	if doc.Find(".toks .tok").Length() < 5 || doc.Find("table.bars.thick tbody tr").Length() < 5 {
		t.Error("no token strip or no waterfall")
	}
	waterfallAddsUp(t, v, doc.Url.Path)
	id := strings.TrimPrefix(doc.Url.Path, "/predictions/")
	if status, _ := v.get("/playground?from=" + id); status != 200 {
		t.Errorf("edit and run again: status %d", status)
	}
	a := visit(t, "auditor")
	status, doc = a.get("/audit?q=" + url.QueryEscape("object:prediction:"+id))
	if status != 200 || doc.Find("table.tbl tbody tr").Length() == 0 {
		t.Fatalf("the log does not show the prediction: status %d, %.300s", status, clean(doc.Find("main")))
	}
	href := doc.Find("table.tbl tbody td a").First().AttrOr("href", "")
	status, doc = a.get(href)
	if status != 200 || doc.Find("svg.tree rect.mine").Length() < 2 || doc.Find(".st.bad").Length() > 0 {
		t.Errorf("entry %s: status %d, %.300s", href, status, clean(doc.Find("main")))
	}
}

// waterfallAddsUp reads the numbers a person sees: baseline plus all changes is
// the output, within the rounding of the printed figures.
func waterfallAddsUp(t *testing.T, v *visitor, path string) {
	t.Helper()
	_, doc := v.get(path)
	var values []float64
	for _, cell := range doc.Find("table.bars.thick tbody td.num").EachIter() {
		x, err := strconv.ParseFloat(strings.NewReplacer("−", "-", ",", "").Replace(clean(cell)), 64)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, x)
	}
	sum := 0.0
	for _, x := range values[:len(values)-1] {
		sum += x
	}
	if d := sum - values[len(values)-1]; d > 0.001 || d < -0.001 {
		t.Errorf("the waterfall is %g off: %v", d, values)
	}
}

func TestPictures(t *testing.T) {
	v := visit(t, "analyst")
	status, doc := v.post("/predictions", url.Values{"kind": {"image"}, "model": {"digits-resnet"}, "example": {"3"}, "method": {"grad-cam"}, "purpose": {"research"}})
	if status != 200 || doc.Find("svg.pic").Length() != 3 || doc.Find("svg.pic path.h6").Length() == 0 {
		t.Fatalf("status %d, %.300s", status, clean(doc.Find("main")))
	}
	res, err := v.http.Get(v.base + doc.Url.Path + "/image")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "image/") {
		t.Errorf("picture: status %d, %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	var ok bytes.Buffer
	if err := png.Encode(&ok, image.NewGray(image.Rect(0, 0, 28, 28))); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{"kind": "image", "model": "digits-resnet", "method": ""}
	if status, doc := v.upload("/predictions", fields, "image", "x.png", ok.Bytes()); status != 200 || !strings.HasPrefix(doc.Url.Path, "/predictions/") {
		t.Errorf("own picture: status %d, %.300s", status, clean(doc.Find("main")))
	}
	for name, data := range map[string][]byte{"cut": ok.Bytes()[:40], "text": []byte("not a picture")} {
		status, doc := v.upload("/predictions", fields, "image", "x.png", data)
		if status != http.StatusUnprocessableEntity || doc.Find("[role=alert]").Length() != 1 || doc.Find("form select#model").Length() != 1 {
			t.Errorf("%s: status %d, %.300s", name, status, clean(doc.Find("main")))
		}
	}
}

func TestBadInputStaysOnTheForm(t *testing.T) {
	v := visit(t, "analyst")
	for name, form := range map[string]url.Values{
		"empty":   {"kind": {"text"}, "model": {"sentiment-minilm"}, "text": {""}},
		"purpose": {"kind": {"text"}, "model": {"sentiment-minilm"}, "text": {"x"}, "purpose": {"mischief"}},
		"param":   {"kind": {"text"}, "model": {"sentiment-minilm"}, "text": {"x"}, "method": {"integrated-gradients"}, "integrated-gradients.steps": {"-4"}},
		"target":  {"kind": {"text"}, "model": {"sentiment-minilm"}, "text": {"x"}, "method": {"saliency"}, "target": {"purple"}},
	} {
		status, doc := v.post("/predictions", form)
		if status != http.StatusUnprocessableEntity || doc.Find("[role=alert]").Length() != 1 {
			t.Errorf("%s: status %d, %.300s", name, status, clean(doc.Find("main")))
		}
		if got := doc.Find("textarea#text").Text(); got != form.Get("text") {
			t.Errorf("%s: the text typed is now %q", name, got)
		}
	}
}

func TestRefusalNamesTheRuleAndStaysOnTheForm(t *testing.T) {
	v := visit(t, "analyst")
	status, doc := v.post("/predictions", url.Values{"kind": {"text"}, "model": {"sentiment-minilm"}, "text": {"x"}, "purpose": {"credit-scoring"}})
	if status != http.StatusForbidden || !strings.Contains(clean(doc.Find("main")), "r-901") {
		t.Errorf("status %d, %.400s", status, clean(doc.Find("main")))
	}
	if doc.Find("form select#purpose").Length() != 1 {
		t.Error("the form has gone")
	}
}

// TestPolicyChange takes a right away and gives it back, as an administrator
// with a browser and no script.
func TestPolicyChange(t *testing.T) {
	admin, owner := visit(t, "admin"), visit(t, "model-owner")
	if status, _ := owner.get("/policies"); status != 200 {
		t.Fatalf("before: status %d", status)
	}
	set := func(effect, reason string) (int, string) {
		_, doc := admin.get("/policies?role=model-owner&action=policy.read")
		base := doc.Find("form input[name=base]").AttrOr("value", "")
		status, doc := admin.post("/policies", url.Values{"base": {base}, "role": {"model-owner"}, "action": {"policy.read"}, "effect": {effect}, "reason": {reason}})
		return status, clean(doc.Find("main"))
	}
	if status, page := set("none", ""); status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: status %d, %.200s", status, page)
	}
	if status, page := set("none", "A test takes it away."); status != 200 || !strings.Contains(page, "A test takes it away.") {
		t.Errorf("status %d, %.300s", status, page)
	}
	if status, _ := owner.get("/policies"); status != http.StatusForbidden {
		t.Errorf("after: status %d", status)
	}
	if status, _ := set("allow", "A test gives it back."); status != 200 {
		t.Errorf("giving back: status %d", status)
	}
	if status, _ := owner.get("/policies"); status != 200 {
		t.Errorf("given back: status %d", status)
	}
	if status, doc := admin.post("/policies", url.Values{"base": {"1"}, "role": {"analyst"}, "action": {"explain"}, "effect": {"deny"}, "reason": {"too late"}}); status != http.StatusConflict || doc.Find("textarea#reason").Text() != "too late" {
		t.Errorf("an old version: status %d", status)
	}
}

func TestExportFromThePage(t *testing.T) {
	v := visit(t, "auditor")
	for _, format := range []string{"csv", "jsonl", "pack"} {
		status, doc := v.post("/exports", url.Values{"format": {format}})
		if status != 200 || doc.Find("table.tbl tbody tr").Length() == 0 {
			t.Fatalf("%s: status %d, %.300s", format, status, clean(doc.Find("main")))
		}
		res, err := v.http.Get(v.base + doc.Find(`a[href$="/file"]`).First().AttrOr("href", ""))
		if err != nil {
			t.Fatal(err)
		}
		n, _ := new(bytes.Buffer).ReadFrom(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || n == 0 || !strings.Contains(res.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: status %d, %d bytes, %q", format, res.StatusCode, n, res.Header.Get("Content-Disposition"))
		}
	}
	if status, doc := v.post("/exports", url.Values{"format": {"pdf"}}); status != http.StatusUnprocessableEntity || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("unknown format: status %d", status)
	}
	if status, doc := v.post("/exports", url.Values{"format": {"csv"}, "after": {"yesterday"}}); status != http.StatusBadRequest || doc.Find("[role=alert]").Length() != 1 {
		t.Errorf("not a date: status %d", status)
	}
}

// TestDashboardNumbersEqualTheirLists: every number opens the list that gives
// the same number.
func TestDashboardNumbersEqualTheirLists(t *testing.T) {
	v := visit(t, "auditor")
	_, doc := v.get("/")
	links := doc.Find("dl.numbers a")
	if links.Length() < 3 {
		t.Fatalf("%d numbers with a list", links.Length())
	}
	for _, a := range links.EachIter() {
		href := a.AttrOr("href", "")
		_, list := v.get(href)
		if !strings.Contains(clean(list.Find(".lede, caption")), clean(a)) {
			t.Errorf("%s says %s, its list %q", href, clean(a), clean(list.Find(".lede, caption")))
		}
	}
}

func TestAuditSearch(t *testing.T) {
	v := visit(t, "auditor")
	for q, want := range map[string]int{"kind:SESSION": 200, "decision:deny after:2020-01-01": 200, "index:0-3": 200, "nonsense": 200, "colour:blue": 200, "sentiment-minilm made": 200, "before:soon": 200, strings.Repeat("kind:A ", 100): 200} {
		status, doc := v.get("/audit?q=" + url.QueryEscape(q))
		if status != want {
			t.Errorf("%q: status %d", q, status)
		}
		if (q == "colour:blue" || q == "before:soon") && doc.Find("p.error").Length() != 1 {
			t.Errorf("%q is not complained about", q)
		}
	}
	_, doc := v.get("/audit?q=index%3A0-3")
	if n := doc.Find("table.tbl tbody tr").Length(); n != 4 {
		t.Errorf("index:0-3 shows %d entries", n)
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"input not usable: inference: input not usable: the text is empty; write at least one word": "The text is empty; write at least one word.",
		`unknown label: sentiment-minilm has no label "purple"`:                                     `Sentiment-minilm has no label "purple".`,
		"": "", "ready": "Ready.", "done!": "Done!",
	} {
		if got := sentence(in); got != want {
			t.Errorf("sentence(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestLookingIsNoAttempt: typing a text for a purpose that is denied says so,
// and leaves no refusal in the log.
func TestLookingIsNoAttempt(t *testing.T) {
	v, a := visit(t, "analyst"), visit(t, "auditor")
	denials := func() string {
		_, doc := a.get("/audit?q=decision%3Adeny")
		return clean(doc.Find("caption"))
	}
	before := denials()
	status, doc := v.post("/playground", url.Values{"kind": {"text"}, "model": {"sentiment-minilm"}, "text": {"x"}, "purpose": {"recruitment"}})
	if status != 200 || !strings.Contains(clean(doc.Find("#preview")), "r-901") {
		t.Errorf("status %d, %.300s", status, clean(doc.Find("#preview")))
	}
	if after := denials(); after != before {
		t.Errorf("the log said %q before and %q after", before, after)
	}
}

// TestEditingACellKeepsTheRuleBesideIt: an analyst's allow rule is changed, and
// the rule that denies one purpose stays unless its box is cleared.
func TestEditingACellKeepsTheRuleBesideIt(t *testing.T) {
	admin := visit(t, "admin")
	_, doc := admin.get("/policies?role=analyst&action=explain")
	if doc.Find("form input[name=keep][checked]").Length() != 1 || !strings.Contains(clean(doc.Find("form")), "r-902") {
		t.Fatal("the form does not show the rule beside the cell's own")
	}
	form := url.Values{"base": {doc.Find("form input[name=base]").AttrOr("value", "")}, "role": {"analyst"}, "action": {"explain"}, "effect": {"allow"},
		"mask": {"email", "phone", "credit-card"}, "level": {"full"}, "forbid": {"occlusion"}, "keep": {"1"}, "reason": {"A test forbids occlusion."}}
	if status, doc := admin.post("/policies", form); status != 200 || doc.Find("#r-902").Length() != 1 {
		t.Errorf("status %d, rule beside kept: %d", status, doc.Find("#r-902").Length())
	}
	v := visit(t, "analyst")
	status, doc := v.post("/predictions", url.Values{"kind": {"text"}, "model": {"sentiment-minilm"}, "text": {"A fine film."}, "method": {"occlusion"}})
	if status != http.StatusForbidden || doc.Find(".note.is-bad").Length() == 0 {
		t.Errorf("a forbidden method: status %d", status)
	}
}
