package conformance

import (
	"context"
	"errors"
	"math"
	"os"
	"path"
	"path/filepath"
	"testing"
)

func TestValues(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct {
		got, want []float64
		own       float64
		status    string
	}{
		"same":                    {[]float64{1, 2}, []float64{1, 2}, 0, OK},
		"none":                    {nil, nil, 0, OK},
		"within the floor":        {[]float64{1e-6}, []float64{0}, 0, OK},
		"beyond the floor":        {[]float64{1.1e-6}, []float64{0}, 0, Fail},
		"relative":                {[]float64{1000.009}, []float64{1000}, 0, OK},
		"four times its own":      {[]float64{4e-3}, []float64{0}, 1e-3, OK},
		"five times its own":      {[]float64{5e-3}, []float64{0}, 1e-3, Fail},
		"one element of many":     {[]float64{5, 5, 5.1, 5}, []float64{5, 5, 5, 5}, 0, Fail},
		"fewer":                   {[]float64{1}, []float64{1, 2}, 0, Fail},
		"not a number":            {[]float64{nan}, []float64{1}, 0, Fail},
		"expected not a number":   {[]float64{1}, []float64{nan}, 0, Fail},
		"infinite":                {[]float64{inf}, []float64{1}, 0, Fail},
		"infinite, as expected":   {[]float64{-inf}, []float64{-inf}, 0, OK},
		"infinite, of wrong sign": {[]float64{inf}, []float64{-inf}, 0, Fail},
	} {
		if got := Values(name, "x", c.got, c.want, c.own); got.Status != c.status {
			t.Errorf("%s: %+v, want %s", name, got, c.status)
		}
	}
}

func TestExactly(t *testing.T) {
	if c := Exactly("a", "x", []int{1, 2, 3}, []int{1, 5, 6}); c.Status != Fail || c.Largest != 2 || c.Why == "" {
		t.Errorf("%+v, want two failures", c)
	}
	if c := Exactly("a", "x", []int{1}, []int{1, 2}); c.Status != Fail {
		t.Errorf("%+v, want a failure", c)
	}
}

func TestRunErrors(t *testing.T) {
	none := func(c Comparison) { t.Errorf("unexpected %+v", c) }
	ctx := context.Background()
	if err := Run(ctx, t.TempDir(), "", none); !errors.Is(err, ErrFolder) {
		t.Errorf("empty folder: %v", err)
	}
	if err := Run(ctx, "testdata/golden", "family/none*", none); !errors.Is(err, ErrFolder) {
		t.Errorf("pattern without a match: %v", err)
	}
	if err := Run(ctx, "testdata/golden", "[", none); !errors.Is(err, path.ErrBadPattern) {
		t.Errorf("bad pattern: %v", err)
	}
	if err := Run(ctx, filepath.Join(t.TempDir(), "none"), "", none); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := Run(stopped, "testdata/golden", "", none); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// write makes a golden folder out of pairs of name and content.
func write(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What cannot be compared is said, never passed over.
func TestOddFolders(t *testing.T) {
	tokenizer := `{"model":{"type":"WordPiece","vocab":{"[UNK]":0,"a":1}}}`
	row := `{"text":"a","add_special_tokens":true,"ids":[1],"tokens":["a"],"offsets":[[0,1]],"type_ids":[0],"decoded":"a","decoded_skip_special":"a"}`
	for name, c := range map[string]struct {
		dir    string
		status string // "" for an error
		count  int
	}{
		"unknown kind":        {write(t, "cases.json", `{"family":"x","cases":[]}`), Unsupported, 1},
		"GGUF":                {write(t, "cases.json", `{"family":"gguf","cases":[]}`), Unsupported, 1},
		"unknown model":       {write(t, "cases.json", `{"family":"x","cases":[]}`, "config.json", `{"model_type":"nothing"}`, "model.safetensors", "\x02\x00\x00\x00\x00\x00\x00\x00{}"), Unsupported, 1},
		"model without files": {write(t, "cases.json", `{"family":"bert","cases":[]}`, "config.json", `{"model_type":"bert"}`), Fail, 1},
		"damaged cases":       {write(t, "cases.json", `{`), "", 0},
		"no tokenizer":        {write(t, "cases.jsonl", row), Fail, 1},
		"tokenizer":           {write(t, "cases.jsonl", row, "tokenizer.json", tokenizer), OK, 6},
		"damaged row":         {write(t, "cases.jsonl", `{`, "tokenizer.json", tokenizer), "", 0},
	} {
		count := 0
		err := Run(context.Background(), c.dir, "", func(got Comparison) {
			if count++; got.Status != c.status {
				t.Errorf("%s: %+v, want %s", name, got, c.status)
			}
		})
		if (err != nil) != (c.status == "") || count != c.count {
			t.Errorf("%s: %d comparisons, %v", name, count, err)
		}
	}
	wrong := write(t, "cases.jsonl", `{"text":"a","ids":[0],"tokens":["a"],"decoded":"b","decoded_skip_special":"a"}`, "tokenizer.json", tokenizer)
	failures := map[string]bool{}
	if err := Run(context.Background(), wrong, "", func(c Comparison) { failures[c.What] = c.Status == Fail }); err != nil {
		t.Fatal(err)
	}
	if !failures["ids"] || failures["tokens"] || !failures["decoded"] {
		t.Errorf("failures %v, want ids and decoded", failures)
	}
}
