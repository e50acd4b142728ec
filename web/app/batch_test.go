package app

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"vitrine/inference/pretrained"
	"vitrine/policy"
	"vitrine/web/store"
)

const batchRows = `{"text":"A wonderful film.","label":"positive","slice":"short"}
{"text":"A terrible, boring film.","label":"negative","slice":"short","more":1}

{"text":"It is wonderful how boring this terrible film is, wonderful.","label":"negative","slice":"long","subject":"somebody"}
{"text":"","label":"positive"}
`

func TestBatch(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	v, err := a.StartBatch(ctx, c, BatchRequest{Model: textModel, Format: "jsonl", Data: []byte(batchRows), Purpose: "research", Explain: &ExplainRequest{Method: "input-x-gradient"}})
	if err != nil || v.Status != store.Done || v.Done != 4 || v.Total != 4 {
		t.Fatalf("%+v %v", v, err)
	}
	raw, err := a.TaskResult(ctx, c, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	var r BatchResult
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	if r.Total.Rows != 4 || r.Total.Failed != 1 || r.Problems["input-not-usable"] != 1 || r.Total.Labelled != 3 || r.Total.Explained != 3 || len(r.Labels) != 2 || len(r.Slices) != 2 {
		t.Fatalf("%s", raw)
	}
	cells, bins := 0, 0
	for _, x := range r.Confusion {
		cells += x.Rows
	}
	for _, x := range r.Calibration {
		bins += x.Rows
	}
	if cells != 3 || bins != 3 || r.ECE == nil || !(*r.ECE >= 0 && *r.ECE <= 1) || len(r.Total.Figures) == 0 {
		t.Fatalf("confusion %v, calibration %v", r.Confusion, r.Calibration)
	}
	// The sums are those of the explanations that were recorded.
	want, rows := 0.0, 0
	list, err := a.Predictions(ctx, c, PredictionQuery{})
	if err != nil || list.Total != 3 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, b := range list.Items {
		p, err := a.Prediction(ctx, c, b.ID)
		if err != nil {
			t.Fatal(err)
		}
		e, err := a.Explanation(ctx, c, p.Explanations[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		sum, found := 0.0, false
		for _, w := range e.Words {
			if strings.EqualFold(w.Text, "wonderful") {
				sum, found = sum+w.Attribution, true
			}
		}
		if found {
			want, rows = want+math.Abs(sum), rows+1
		}
	}
	for _, x := range r.Total.Tokens {
		if x.Text == "wonderful" && (x.Rows != rows || abs(x.MeanAbs-want/float64(rows)) > 1e-12) {
			t.Errorf("wonderful: %+v, want %v over %d", x, want/float64(rows), rows)
		}
	}
	if rows != 2 {
		t.Errorf("the word stands in %d rows", rows)
	}
	if _, err := a.TaskResult(ctx, a.Local(), v.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody else reads the result: %v", err)
	}
	kept, err := a.store.Task(ctx, a.workspace, v.ID)
	if err != nil || kept.Request != nil {
		t.Errorf("the data set is kept after the batch: %v", err)
	}
}

// TestBatchGoesOn: a job that runs again does not repeat rows.
func TestBatchGoesOn(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	v, err := a.StartBatch(ctx, c, BatchRequest{Model: textModel, Format: "csv", Data: []byte("text,label\nFine.,positive\n\"Bad, bad.\",negative\n"), Explain: &ExplainRequest{Method: "saliency"}})
	if err != nil {
		t.Fatal(err)
	}
	row, err := a.store.Task(ctx, a.workspace, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.TaskResult(ctx, c, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	x := batchTask{Model: textModel, Format: "csv", Data: []byte("text,label\nFine.,positive\n\"Bad, bad.\",negative\n"), Explain: &explanationTask{Method: "saliency"}, Purpose: policy.PurposeUnspecified}
	raw, _ := json.Marshal(x)
	if row.Request, err = a.seal(ctx, place{row.Actor, row.ID, "request"}, raw); err != nil {
		t.Fatal(err)
	}
	if err := a.doTask(ctx, row); err != nil {
		t.Fatal(err)
	}
	again, err := a.TaskResult(ctx, c, v.ID)
	if err != nil || strings.Replace(string(again), textModel+`"`, textModel+`@1.0.0"`, 1) != string(first) {
		t.Fatalf("%s\n%s %v", first, again, err)
	}
	if n := count(events(t, a), "PREDICTION.MADE.OK"); n != 2 {
		t.Errorf("%d predictions", n)
	}
}

func TestBatchFormats(t *testing.T) {
	pictures, err := pretrained.Examples(imageModel)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	for name, data := range map[string][]byte{"set/7/a.png": pictures[0].Image, "readme.txt": []byte("x"), "__MACOSX/7/a.png": []byte("x")} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	z.Close()
	rows, err := readBatch("zip", packed.Bytes())
	if err != nil || len(rows) != 1 || rows[0].Label != "7" || !bytes.Equal(rows[0].Image, pictures[0].Image) {
		t.Fatalf("%d rows %v", len(rows), err)
	}
	for name, bad := range map[string]struct{ format, data string }{
		"no format": {"xml", "x"}, "empty": {"jsonl", "\n"}, "not JSON": {"jsonl", "{\"text\":\"a\"}\nnope"}, "no text": {"jsonl", `{"label":"x"}`}, "no header": {"csv", ""},
		"no column": {"csv", "a,b\n1,2\n"}, "ragged": {"csv", "text,label\n1\n"}, "no ZIP": {"zip", "PK"}, "a long label": {"jsonl", `{"text":"a","label":"` + strings.Repeat("x", 201) + `"}`},
		"bad UTF-8": {"jsonl", "{\"text\":\"\xff\"}"},
	} {
		if _, err := readBatch(bad.format, []byte(bad.data)); !errors.Is(err, ErrInput) || Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := openApp(t, "", true)
	if _, err := a.StartBatch(context.Background(), caller(t, a, policy.Analyst), BatchRequest{Model: textModel, Format: "zip", Data: packed.Bytes()}); !errors.Is(err, ErrInput) {
		t.Errorf("pictures for a model of texts: %v", err)
	}
}

func FuzzReadBatch(f *testing.F) {
	f.Add("jsonl", []byte(batchRows))
	f.Add("csv", []byte("text,label\n\"a\n b\",c\n"))
	f.Add("zip", []byte("PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		rows, err := readBatch(format, data)
		if err != nil && !errors.Is(err, ErrInput) || err == nil && len(rows) == 0 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
	})
}
