package webtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"vitrine/audit/report"
	"vitrine/inference/pretrained"
	"vitrine/policy"
	"vitrine/web/app"
)

const (
	address = "jo.walker@example.org"
	review  = "The plot is thin, but the acting is wonderful. Write to " + address + " about it."
)

// TestNewcomer is the first quarter of an hour of somebody who has just started
// the demo: an answer, its reason, a refusal, a changed policy, a proof.
func TestNewcomer(t *testing.T) {
	analyst := open(t, policy.Analyst)
	analyst.ask(review)
	analyst.classesAreTheJSON()
	analyst.waterfallAddsUp()
	analyst.drawsWhatItPromises()
	analyst.picture7()

	before := analyst.refused("credit-scoring")
	if before != "r-901" {
		t.Errorf("the refusal names rule %q, want r-901", before)
	}
	analyst.attentionRefused()

	admin := open(t, policy.Admin)
	admin.allowAnalysts()
	analyst.fill(review, "credit-scoring", "saliency")
	if analyst.press("form.cols button.primary"); !strings.HasPrefix(analyst.where(), "/predictions/") {
		t.Fatalf("after the change the analyst is on %s: %.300s", analyst.where(), analyst.text("main"))
	}

	auditor := open(t, policy.Auditor)
	auditor.findsEverything()
	auditor.exportsAPack(5)
}

// fill puts a question about a text into the playground's form.
func (b *tab) fill(text, purpose, method string) {
	b.t.Helper()
	b.follow("/playground")
	b.choose("purpose", purpose)
	b.do(chromedp.SendKeys("#text", text, chromedp.ByQuery))
	b.choose("m-"+method, "on")
}

// ask runs integrated gradients on a text and looks at the preview before.
func (b *tab) ask(text string) {
	b.t.Helper()
	b.fill(text, "quality-review", "integrated-gradients")
	b.see("#preview .mask")
	if got := b.text("#preview .paper"); !strings.Contains(got, "[EMAIL]") || strings.Contains(got, address) {
		b.t.Errorf("the preview shows %q", got)
	}
	if b.press("form.cols button.primary"); !strings.HasPrefix(b.where(), "/predictions/") {
		b.t.Fatalf("the answer is on %s: %.300s", b.where(), b.text("main"))
	}
	if strings.Contains(b.text("main"), address) {
		b.t.Error("the page shows the address that was masked")
	}
}

// answered is the prediction of the page, as the API tells it.
func (b *tab) answered() (v app.PredictionView) {
	b.t.Helper()
	path, _, _ := strings.Cut(b.where(), "?") // the page's own choices are not the API's
	b.api("/api/v1"+path, &v)
	return v
}

// classesAreTheJSON compares the class bars with the API, to the last printed digit.
func (b *tab) classesAreTheJSON() {
	b.t.Helper()
	labels := b.answered().Output.Labels
	names := b.texts("[aria-labelledby=classes] tbody th")
	figures := b.numbers("[aria-labelledby=classes] tbody td.num")
	if len(labels) == 0 || len(names) != len(labels) || len(figures) != 2*len(labels) {
		b.t.Fatalf("%d labels, %v, %v", len(labels), names, figures)
	}
	for i, l := range labels {
		if names[i] != l.Label || math.Abs(figures[2*i]-100*l.Score) > 0.0501 || math.Abs(figures[2*i+1]-l.Logit) > 0.000501 {
			b.t.Errorf("the page says %s %g %% %g, the API %s %g %g", names[i], figures[2*i], figures[2*i+1], l.Label, l.Score, l.Logit)
		}
	}
}

// numbers reads figures as people see them: true minus, digit groups, units.
func (b *tab) numbers(selector string) (out []float64) {
	b.t.Helper()
	for _, s := range b.texts(selector) {
		x, err := strconv.ParseFloat(strings.NewReplacer("−", "-", ",", "", "+", "", " %", "").Replace(s), 64)
		if err != nil {
			b.t.Fatalf("%s holds %q, which is no number", selector, s)
		}
		out = append(out, x)
	}
	return out
}

// waterfallAddsUp: baseline plus every step is the output, within the rounding of
// the printed figures; bars of tokens are the attributions of the API.
func (b *tab) waterfallAddsUp() {
	b.t.Helper()
	steps := b.numbers("table.bars.thick tbody td.num")
	if len(steps) < 5 {
		b.t.Fatalf("a waterfall of %d steps", len(steps))
	}
	sum := 0.0
	for _, x := range steps[:len(steps)-1] {
		sum += x
	}
	if off := math.Abs(sum - steps[len(steps)-1]); off > 0.00005*float64(len(steps)) {
		b.t.Errorf("the waterfall is %g off: %v", off, steps)
	}
	list := b.answered().Explanations
	if len(list) != 1 {
		b.t.Fatalf("%d explanations", len(list))
	}
	var e app.ExplanationView
	b.api("/api/v1/explanations/"+list[0].ID, &e)
	b.follow(b.where() + "?group=token")
	shown := b.numbers("tr[data-tok] td.num")
	var want []float64
	if err := json.Unmarshal(e.Attributions, &want); err != nil {
		b.t.Fatal(err)
	}
	if len(shown) != len(want) {
		b.t.Fatalf("%d bars, %d attributions", len(shown), len(want))
	}
	for i := range want {
		if math.Abs(shown[i]-want[i]) > 0.0000501 {
			b.t.Errorf("token %d: %g on the page, %g in the API", i, shown[i], want[i])
		}
	}
	if hash := b.answered().Explanations; len(hash) != 1 || e.RecordHash == "" || b.count(`[data-copy="`+e.RecordHash+`"]`) == 0 {
		b.t.Errorf("the page does not name record %s", e.RecordHash)
	}
}

func (b *tab) drawsWhatItPromises() {
	b.t.Helper()
	for what, selector := range map[string]string{
		"token strip": ".toks .tok", "token bars": "tr[data-tok] rect", "class bars": "[aria-labelledby=classes] rect", "waterfall": "table.bars.thick rect",
	} {
		if b.count(selector) < 2 {
			b.t.Errorf("the page has no %s", what)
		}
	}
	if rows := b.count("#faith tbody tr"); rows < 3 {
		b.t.Errorf("%d faithfulness figures", rows)
	}
}

// picture7 sends a picture file of a digit and asks for Grad-CAM.
func (b *tab) picture7() {
	b.t.Helper()
	examples, err := pretrained.Examples("digits-resnet")
	if err != nil || len(examples) == 0 {
		b.t.Fatalf("no example picture: %v", err)
	}
	file := filepath.Join(b.t.TempDir(), "digit.png")
	if err := os.WriteFile(file, examples[0].Image, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.follow("/playground?kind=image")
	b.choose("purpose", "quality-review")
	b.upload("#image", file)
	b.choose("m-grad-cam", "on")
	if b.press("form.cols button.primary"); !strings.HasPrefix(b.where(), "/predictions/") {
		b.t.Fatalf("the picture's answer is on %s: %.300s", b.where(), b.text("main"))
	}
	b.classesAreTheJSON()
	if b.count("svg.pic") != 3 || b.count("svg.pic path") < 2 {
		b.t.Errorf("%d drawings of the heat map", b.count("svg.pic"))
	}
}

// refused asks for what the shipped policy forbids and returns the rule it names.
func (b *tab) refused(purpose string) string {
	b.t.Helper()
	b.fill("I need a loan for a car.", purpose, "integrated-gradients")
	if status := b.press("form.cols button.primary"); status != 403 {
		b.t.Errorf("status %d", status)
	}
	if b.count(".note.is-bad[role=alert]") != 1 {
		b.t.Errorf("no refusal on the page: %.300s", b.text("main"))
	}
	if b.text("#text") != "" && !strings.Contains(b.text("main"), "loan") {
		b.t.Error("the form lost what was typed")
	}
	return b.text("[aria-labelledby=near] a.mono")
}

// attentionRefused asks an allowed prediction for a method that is forbidden for
// its purpose.
func (b *tab) attentionRefused() {
	b.t.Helper()
	b.fill("Thank you, it works.", "customer-support", "attention")
	status := b.press("form.cols button.primary")
	if rule := b.text("[aria-labelledby=near] a.mono"); status != 403 || rule != "r-902" {
		b.t.Errorf("attention for customers: status %d, rule %q", status, rule)
	}
}

// allowAnalysts clears the cell of analysts and predictions, with a reason.
func (b *tab) allowAnalysts() {
	b.t.Helper()
	var before, after app.PolicyView
	b.api("/api/v1/policies", &before)
	b.follow("/policies")
	b.press(`a.cell[href*="role=analyst&action=predict#"]`)
	b.see("#edit")
	b.js(`document.querySelector("#edit input[name=effect][value=allow]").checked = true`, nil)
	b.js(`document.querySelector("#edit input[name=keep]").checked = false`, nil) // the exceptions go
	b.choose("reason", "The risk team has signed off on credit scoring by analysts.")
	b.press("#edit button[name=preview]")
	var reason string
	b.js(`document.querySelector("#reason").value`, &reason)
	if b.count("#preview ul.checks .st.ok") == 0 || b.count("#preview table tbody tr") == 0 || !strings.Contains(reason, "signed off") {
		b.t.Errorf("the preview does not say that analysts gain and which decisions change: %.600s", b.text("#edit"))
	}
	b.press("#edit button.primary")
	if b.count(".note.is-ok") != 1 {
		b.t.Fatalf("the change is not confirmed on %s: %.300s", b.where(), b.text("main"))
	}
	b.api("/api/v1/policies", &after)
	if after.Version != before.Version+1 || !strings.Contains(b.text("[aria-labelledby=versions]"), "The risk team has signed off") {
		b.t.Errorf("version %d became %d: %.200s", before.Version, after.Version, b.text("[aria-labelledby=versions]"))
	}
	for _, r := range after.Rules {
		if r.ID == "r-001" && len(r.Obligations.Mask) == 0 {
			b.t.Error("the change lost the duty to mask")
		}
	}
}

// findsEverything searches the log and opens an entry with its proof.
func (b *tab) findsEverything() {
	b.t.Helper()
	for search, rows := range map[string]int{"decision:deny": 5, "kind:POLICY.CHANGED": 1, "kind:PREDICTION.MADE": 5, "kind:SESSION": 2} {
		b.follow("/audit?q=" + url.QueryEscape(search))
		if n := b.count("table.tbl tbody tr"); n < rows {
			b.t.Errorf("%s finds %d entries, want at least %d: %.200s", search, n, rows, b.text("main"))
		}
	}
	b.follow("/audit?q=decision%3Adeny")
	b.press("table.tbl tbody a[href^='/audit/']")
	drawn, failed, leaf := b.count("svg.tree rect.mine"), b.count(".checks .st.bad"), b.text("main pre.code")
	if drawn < 2 || failed != 0 || !strings.Contains(leaf, "DENIED") {
		b.t.Errorf("entry %s draws %d steps, %d checks failed, leaf %.200s", b.where(), drawn, failed, leaf)
	}
}

// exportsAPack makes a pack on the page, downloads it as a file and verifies it
// the way another machine would; it shows at least so many refusals.
func (b *tab) exportsAPack(refusals int64) {
	b.t.Helper()
	b.follow("/exports")
	b.js(`document.querySelector("input[name=format][value=pack]").checked = true`, nil)
	b.press("main form button.primary")
	b.see("#export-list a[download]")
	path := b.download("#export-list a[download]")
	r, err := report.VerifyPack(path, report.VerifyOptions{Key: []byte(console.app.VerifierKey()), Redecider: &policy.Redecider{}})
	if err != nil {
		b.t.Fatal(err)
	}
	if r.ExitCode != 0 || !r.KeyTrusted || r.Refusals < refusals || r.Events != r.Size {
		b.t.Errorf("verdict %s, exit code %d, key trusted %t, %d refusals, %d of %d events, %+v", r.Verdict, r.ExitCode, r.KeyTrusted, r.Refusals, r.Events, r.Size, r.Findings)
	}
}

// download fetches what a link leads to with the tab's cookies into a file.
func (b *tab) download(link string) string {
	b.t.Helper()
	var data string
	b.js(`fetch(document.querySelector(`+strconv.Quote(link)+`).href).then(async r => {
		if (!r.ok || !/^attachment/.test(r.headers.get("Content-Disposition"))) throw new Error("status " + r.status + ", no attachment");
		const bytes = new Uint8Array(await r.arrayBuffer()); let s = "";
		for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192));
		return btoa(s) })`, &data)
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.t.TempDir(), "pack.zip")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// TestNoScript walks the core of the same road in a browser that runs no script.
func TestNoScript(t *testing.T) {
	analyst := open(t, "")
	analyst.noScript()
	analyst.follow(console.links[policy.Analyst])
	analyst.follow("/playground")
	analyst.plainFill("#text", review)
	analyst.plainClick("#m-integrated-gradients")
	analyst.plainPress("button[formaction]")
	if got := analyst.plainText("#preview .paper"); !strings.Contains(got, "[EMAIL]") {
		t.Errorf("the preview without script shows %q", got)
	}
	analyst.plainPress("form.cols button.primary")
	if at := analyst.where(); !strings.HasPrefix(at, "/predictions/") || len(analyst.plainText("table.bars.thick")) == 0 {
		t.Fatalf("the answer without script is on %s", at)
	}
	analyst.plainClick("#m-saliency")
	analyst.plainPress("#explain button.primary")
	if at := analyst.where(); !strings.Contains(at, "?e=") {
		t.Errorf("a second explanation without script is on %s", at)
	}
	analyst.plainPress("form[action='/signout'] button")
	if at := analyst.where(); at != "/signin" {
		t.Errorf("signing out leads to %s", at)
	}
	auditor := open(t, "")
	auditor.noScript()
	auditor.follow(console.links[policy.Auditor])
	auditor.follow("/exports")
	auditor.plainClick("input[name=format][value=csv]")
	auditor.plainPress("main form button.primary")
	if got := auditor.plainText("#export-list a[download]"); got == "" {
		t.Errorf("no file after the export without script: %.300s", auditor.plainText("main"))
	}
}

// Without script the driver cannot evaluate either: these use the browser's own
// input and its tree of nodes.
func (b *tab) plainFill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

func (b *tab) plainClick(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(selector, chromedp.ByQuery))
}

func (b *tab) plainPress(selector string) {
	b.t.Helper()
	b.arrive(chromedp.Click(selector, chromedp.ByQuery))
}

func (b *tab) plainText(selector string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	var html string
	if err := chromedp.Run(ctx, chromedp.Text(selector, &html, chromedp.ByQuery)); err != nil {
		b.t.Errorf("%s on %s: %v", selector, b.where(), err)
	}
	return strings.TrimSpace(html)
}
