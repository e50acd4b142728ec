package faithfulness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/inference/pretrained"
)

func open(t *testing.T, name string) (*inference.Model, fs.FS) {
	t.Helper()
	fsys, ok := pretrained.FS(name)
	if !ok {
		t.Fatalf("no shipped model %s", name)
	}
	m, err := inference.OpenFS(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, fsys
}

func encoded(t *testing.T, table *Table) []byte {
	t.Helper()
	raw, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestMeasure: the same table for any number of workers; refusals and checks are in it; what was measured can be read back.
func TestMeasure(t *testing.T) {
	m, fsys := open(t, "digits-resnet")
	inputs, err := Evaluation(fsys)
	if err != nil || len(inputs) != 200 || inputs[0].Label != "0" || inputs[199].Label != "9" {
		t.Fatalf("%d inputs, %v", len(inputs), err)
	}
	var seen []int
	r := Request{Model: m, Name: "digits-resnet", Data: "digits", Inputs: inputs, Most: 3, Only: []string{"chefer", "grad-cam", "occlusion", "saliency"}, Draws: 3, Seed: 1,
		Checkpoint: fsys, Open: func(f fs.FS) (explain.Engine, error) { return inference.OpenFS(f, "digits-resnet") }, Checks: 1,
		Progress: func(done, of int) { seen = append(seen, done, of) }}
	table, err := Measure(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if table.Inputs != 3 || table.Of != 200 || len(table.Methods) != 3 || len(table.Refused) != 1 || table.Refused[0].Method != "chefer" || table.Right == 0 {
		t.Errorf("%+v", table)
	}
	for _, row := range table.Methods {
		f, ok := row.Figure("deletion-auc", "")
		if !ok || f.Inputs != 3 || f.Low > f.Mean || f.High < f.Mean || f.Higher || f.Gain != f.Control-f.Mean && f.Gain-(f.Control-f.Mean) > 1e-12 {
			t.Errorf("%s: %+v", row.Method, f)
		}
		if row.Inputs != 3 || row.Sanity == nil || row.Sanity.Digest != table.Digest {
			t.Errorf("%s: %d inputs, check %+v", row.Method, row.Inputs, row.Sanity)
		}
	}
	if len(seen) != 6 || seen[4] != 3 || seen[5] != 3 {
		t.Errorf("progress %v", seen)
	}
	for i, id := range table.Agreement.Methods {
		if table.Agreement.Tau[i][i] < 1-1e-12 || table.Agreement.Tau[0][i] != table.Agreement.Tau[i][0] {
			t.Errorf("%s with itself: %v", id, table.Agreement.Tau[i])
		}
	}
	r.Workers = 3
	again, err := Measure(context.Background(), r)
	if err != nil || !bytes.Equal(encoded(t, again), encoded(t, table)) {
		t.Errorf("another table with three workers: %v", err)
	}
	back, err := Read(encoded(t, table))
	if err != nil || !bytes.Equal(encoded(t, back), encoded(t, table)) {
		t.Errorf("read back: %v", err)
	}
	var md bytes.Buffer
	if err := table.Markdown(&md); err != nil || !strings.Contains(md.String(), "| grad-cam |") || !strings.Contains(md.String(), "- chefer: ") {
		t.Errorf("%s", md.String())
	}
}

// TestRationale: words that people marked give three more figures; the marks count characters of the text.
func TestRationale(t *testing.T) {
	m, _ := open(t, "sentiment-minilm")
	rows, err := Rows(strings.NewReader(`{"text":"The plot is thin but the acting is wonderful.","label":"positive","rationale":[[35,44]]}
{"text":"An utterly tedious evening in a cold room.","label":"negative","rationale":[[11,18]]}
{"text":"Good.","rationale":[[0,5]]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Measure(context.Background(), Request{Model: m, Inputs: rows, Only: []string{"integrated-gradients"}, Draws: 20, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"pointing-game", "token-f1", "auprc"} {
		f, ok := table.Methods[0].Figure(id, "")
		if !ok || f.Inputs != 2 || f.Mean < 0.5 || f.Control > 0.5 || !f.Higher { // of the third everything is marked: there is nothing to tell apart
			t.Errorf("%s: %+v", id, f)
		}
	}
}

func TestMeasureRefuses(t *testing.T) {
	m, _ := open(t, "digits-resnet")
	if _, err := Measure(context.Background(), Request{Model: m}); !errors.Is(err, inference.ErrInput) {
		t.Errorf("no inputs: %v", err)
	}
	one := []Input{{In: inference.Input{Image: []byte("no picture")}}}
	if _, err := Measure(context.Background(), Request{Model: m, Inputs: one, Only: []string{"tea-leaves"}}); !errors.Is(err, explain.ErrUnknownMethod) {
		t.Errorf("unknown method: %v", err)
	}
	table, err := Measure(context.Background(), Request{Model: m, Inputs: one, Only: []string{"saliency"}})
	if err != nil || table.Methods[0].Inputs != 0 || table.Methods[0].Failed == "" || len(table.Methods[0].Figures) != 0 {
		t.Errorf("an input that is no picture: %+v, %v", table, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Measure(ctx, Request{Model: m, Inputs: one}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestShipped: the committed tables belong to the shipped weights, cover every method that suits them, and are shown as they are.
func TestShipped(t *testing.T) {
	for _, name := range pretrained.Names() {
		m, fsys := open(t, name)
		table, ok := Shipped(m.Info().Digest)
		if !ok {
			t.Fatalf("no table was committed for %s", name)
		}
		inputs, err := Evaluation(fsys)
		if err != nil || table.Of != len(inputs) || table.Model != name || table.Engine != inference.EngineVersion() {
			t.Errorf("%s: a table of %d inputs, the set has %d (%v)", name, table.Of, len(inputs), err)
		}
		rows := map[string]Row{}
		for _, r := range table.Methods {
			rows[r.Method] = r
		}
		for _, method := range explain.Suited(m.Info()) {
			row, ok := rows[method.ID]
			if !ok || row.Version != method.Version || row.Failed != "" || row.Inputs != table.Inputs {
				t.Errorf("%s on %s: %d of %d inputs, version %s, %s", method.ID, name, row.Inputs, table.Inputs, row.Version, row.Failed)
			}
		}
		want, err := os.ReadFile("table/" + name + ".md")
		var md bytes.Buffer
		if err != nil || table.Markdown(&md) != nil || !bytes.Equal(md.Bytes(), want) {
			t.Errorf("%s: the committed text is not that of the committed table: %v", name, err)
		}
	}
	if _, ok := Shipped("of another model"); ok {
		t.Error("a table of another model's weights")
	}
}

// notBetter are methods whose ranking of units is no better than chance on a shipped model. They are shown with what was measured.
var notBetter = map[string][]string{
	// flow through attention says where information could pass, not what the answer rests on; all of a classifier's logit is
	// written at [CLS], so that the direct attribution of the words is 0 and ranks nothing
	"sentiment-minilm": {"attention-flow", "direct-logit-attribution"},
}

// TestBetterThanRandom: on each shipped model every method beats random attributions of the same shape in at least one figure of
// faithfulness, beyond what the choice of inputs could explain.
func TestBetterThanRandom(t *testing.T) {
	faithful := []string{"comprehensiveness", "sufficiency", "infidelity", "deletion-auc", "insertion-auc"}
	for _, table := range All() {
		for _, row := range table.Methods {
			better := slices.ContainsFunc(row.Figures, func(f Figure) bool { return slices.Contains(faithful, f.ID) && f.Better() })
			if known := slices.Contains(notBetter[table.Model], row.Method); better == known {
				t.Errorf("%s on %s: better than random %v, known not to be %v", row.Method, table.Model, better, known)
			}
		}
	}
}

// TestTableIsOfThisProgram: a row of a committed table is computed again to the last bit.
func TestTableIsOfThisProgram(t *testing.T) {
	m, fsys := open(t, "digits-resnet")
	table, ok := Shipped(m.Info().Digest)
	if !ok {
		t.Fatal("no table")
	}
	inputs, err := Evaluation(fsys)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Measure(context.Background(), Request{Model: m, Name: table.Model, Data: table.Data, Inputs: inputs, Most: table.Inputs,
		Only: []string{"grad-cam"}, Draws: table.Draws, Seed: table.Seed})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Methods {
		if row.Method != "grad-cam" {
			continue
		}
		if row.Sanity = nil; !reflect.DeepEqual(row, again.Methods[0]) {
			t.Errorf("committed %+v, computed %+v", row, again.Methods[0])
		}
	}
}

func TestRows(t *testing.T) {
	pictures := fstest.MapFS{"a.png": {Data: []byte("picture")}}
	rows, err := Rows(strings.NewReader("{\"text\":\"good\",\"label\":\"positive\",\"source\":\"x\"}\n\n{\"image\":\"a.png\",\"label\":\"7\"}\n{\"text\":\"a\",\"pair\":\"b\"}"), pictures)
	if err != nil || len(rows) != 3 || rows[0].Label != "positive" || string(rows[1].In.Image) != "picture" || rows[2].In.Pair == nil {
		t.Errorf("%+v, %v", rows, err)
	}
	for name, s := range map[string]string{"no JSON": "good", "neither": "{}", "both": `{"text":"a","image":"a.png"}`, "a way out": `{"image":"../a.png"}`, "not there": `{"image":"b.png"}`,
		"an array": `[1]`, "a long line": `{"text":"` + strings.Repeat("x", maxLine) + `"}`} {
		if _, err := Rows(strings.NewReader(s), pictures); !errors.Is(err, inference.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Evaluation(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	for name, index := range map[string]string{"outside": `{"image":"s.png","tile":[9,9],"columns":1,"labels":["a"]}`, "no size": `{"image":"s.png","columns":1,"labels":["a"]}`, "no JSON": "x"} {
		fsys := fstest.MapFS{"eval/index.json": {Data: []byte(index)}, "eval/s.png": {Data: []byte("no picture")}}
		if _, err := Evaluation(fsys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(`{"text":"good","label":"positive"}`))
	f.Add([]byte("{\"image\":\"/etc/passwd\"}\n{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rows, err := Rows(bytes.NewReader(raw), fstest.MapFS{})
		if err != nil && !errors.Is(err, inference.ErrInput) {
			t.Error(err)
		}
		for _, r := range rows {
			if r.In.Text == "" {
				t.Errorf("a row without text: %+v", r)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"format":"vitrine-faithfulness/1"}`))
	f.Add([]byte(`{"format":"vitrine-faithfulness/1","agreement":{"methods":["a"],"tau":[[1]],"top":[[1]],"sign":[[1,2]]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, err := Read(raw)
		if err != nil && !errors.Is(err, ErrTable) {
			t.Error(err)
		}
		if err == nil && table.Markdown(&bytes.Buffer{}) != nil {
			t.Error("a table that cannot be written")
		}
	})
}
