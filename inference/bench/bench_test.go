package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTable: each peer gets its line, of variants the fastest counts, a derived row reads its metric elsewhere, and the file
// around the marks stays.
func TestTable(t *testing.T) {
	delta := 1.5e-6
	done := []measured{
		{Row: "bert-1x128", Threads: 2, Peers: map[string]map[string]pair{
			"onnxruntime":       {"median_s": {0.09, 0.1, 0.9, 0.88, 0.92}, "peak_rss_mb": {470, 587, 0.8, 0.8, 0.8}},
			"onnxruntime-fused": {"median_s": {0.09, 0.09, 1.0, 0.99, 1.01}}}},
		{Row: "ig-captum", Threads: 2, Delta: &delta, Peers: map[string]map[string]pair{
			"captum-onednn-b10": {"median_s": {5, 10, 0.5, 0.5, 0.5}}, "captum-b10": {"median_s": {5, 20, 0.25, 0.25, 0.25}}}},
		{Row: "peak-128x768x3072", Threads: 2, Share: 0.91, GFlops: 91, Peak: 100},
		{Row: "streams-gpt2", Threads: 2, Eight: 200, One: 50},
	}
	table := (&settings{}).table(done)
	for _, want := range []string{
		"| BERT-base forward, 1×128 | 2 | onnxruntime-fused | 90.0 ms | 90.0 ms | 1.00 (0.99–1.01) | 0.95 | 0.82 | missed by 5 % |",
		"| peak memory, BERT-base forward 1×128 | 2 | onnxruntime | 470 MB | 587 MB | 0.80 (0.80–0.80) | 0.90 | 0.80 | reached |",
		"50 points (delta 1.5e-06) | 2 | captum-b10 | 5000 ms | 20000 ms |", "| 128×768×3072 | 2 | 91.0 | 100.0 | 91.0 % | 90 % |",
		"| GPT-2 small, float32 | 2 | 200.0 | 50.0 | 4.00 | 3 |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	if strings.Contains(table, "| onnxruntime | 90") {
		t.Errorf("the slower variant is shown:\n%s", table)
	}
	file := filepath.Join(t.TempDir(), "x.md")
	if err := os.WriteFile(file, []byte("before\n"+tableBegin+"\nold\n"+tableEnd+"\nbehind\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceTable(file, "new\n"); err != nil {
		t.Fatal(err)
	}
	raw, _ := os.ReadFile(file)
	if got := string(raw); got != "before\n"+tableBegin+"\nnew\n"+tableEnd+"\nbehind\n" {
		t.Errorf("%q", got)
	}
}

// TestRows: every row can be measured, or names the row that it is read from.
func TestRows(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rows {
		if names[r.name] || r.name == "" || r.work == "" {
			t.Errorf("row %q is nameless or given twice", r.name)
		}
		names[r.name] = true
		switch {
		case r.from != "":
			if !names[r.from] || r.metric == "" {
				t.Errorf("%s: read from %q", r.name, r.from)
			}
		case r.args == "" || !r.alone && (r.kase == "" || len(r.peers) == 0 || r.rounds < 1 || r.roundsAlone < 1):
			t.Errorf("%s: incomplete", r.name)
		}
	}
	if n := len((&settings{threads: []int{2, 1}, only: []string{"bert-1x128", "memory"}}).order()); n != 2 {
		t.Errorf("%d measurements of one row on two thread counts", n)
	}
}
