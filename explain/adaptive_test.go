package explain

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"testing"

	"vitrine/inference"
)

// TestAdaptiveSpends: on most of the shipped evaluation texts adaptive integrated gradients stands still after 33 gradients.
func TestAdaptiveSpends(t *testing.T) {
	m, fsys := shipped(t, "sentiment-minilm")
	raw, err := fs.ReadFile(fsys, "eval.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	const every = 15
	spent := map[int]int{}
	total, within := 0, 0
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 0; lines.Scan(); n++ {
		if n%every != 0 {
			continue
		}
		var row struct{ Text string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		e, err := Explain(context.Background(), Request{Model: m, Input: inference.Input{Text: row.Text}, Method: "integrated-gradients", Draws: -1})
		if err != nil {
			t.Fatal(err)
		}
		spent[e.Gradients]++
		total++
		if e.Gradients <= 33 {
			within++
		}
	}
	if total < 20 || 2*within <= total {
		t.Errorf("%d of %d texts took at most 33 gradients: %v", within, total, spent)
	}
	t.Logf("%d of %d texts took at most 33 gradients: %v", within, total, spent)
}
