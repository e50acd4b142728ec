package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func benchOnce(t *testing.T, args ...string) benchResult {
	t.Helper()
	var out, complaint bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &complaint}
	if code := run(context.Background(), e, append([]string{"bench", "--quick", "--json"}, args...)); code != 0 {
		t.Fatalf("bench %v: exit %d: %s", args, code, complaint.String())
	}
	var r benchResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("bench %v: %v in %s", args, err, out.String())
	}
	return r
}

// TestBenchCases runs every registered case once on a shipped model that suits it.
func TestBenchCases(t *testing.T) {
	const text, image = "../../inference/pretrained/sentiment-minilm", "../../inference/pretrained/digits-resnet"
	for _, name := range benchNames() {
		t.Run(name, func(t *testing.T) {
			args := []string{"--case", name, "--tokens", "12", "--shape", "20x48x64"}
			switch {
			case name == "load": // starts this program anew, under the name by which the test binary becomes it
				self := os.Args[0]
				os.Args[0] = "vitrine"
				defer func() { os.Args[0] = self }()
				args = append(args, text)
			case name == "prefill" || name == "decode" || name == "streams" || name == "first-token" || name == "generation-attribution":
				args = append(args, "--new-tokens", "5", "../../inference/conformance/testdata/golden/family/gpt2")
			case name == "grad-cam":
				args = append(args, image)
			case benchCases[name].model:
				args = append(args, text)
			}
			r := benchOnce(t, args...)
			if r.Case != name || r.N < 1 || !(r.MedianS > 0) || !(r.MinS <= r.MedianS) || r.CPULevel == "" {
				t.Errorf("%+v", r)
			}
			if benchCases[name].model && (len(r.Check) < 2 || !(r.LoadS > 0)) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestBenchWork: a case does the work it names and nothing beside it.
func TestBenchWork(t *testing.T) {
	const text, image = "../../inference/pretrained/sentiment-minilm", "../../inference/pretrained/digits-resnet"
	for _, c := range []struct {
		args                []string
		forwards, gradients int64
	}{
		{[]string{text, "--tokens", "9", "--case", "input-x-gradient"}, 0, 1},
		{[]string{text, "--tokens", "9", "--case", "integrated-gradients", "--profile", "captum", "--steps", "7"}, 2, 7},
		{[]string{text, "--tokens", "9", "--case", "occlusion"}, 2 + 9, 0},
		{[]string{image, "--case", "grad-cam"}, 0, 1},
	} {
		if r := benchOnce(t, c.args...); r.Forwards != c.forwards || r.Gradients != c.gradients {
			t.Errorf("%v: %d forwards and %d gradients, expected %d and %d", c.args, r.Forwards, r.Gradients, c.forwards, c.gradients)
		}
	}
}

// TestBenchInput: the numbers of --input reach the network, and a wrong number of them is refused.
func TestBenchInput(t *testing.T) {
	const text = "../../inference/pretrained/sentiment-minilm"
	file := filepath.Join(t.TempDir(), "ids")
	write := func(ids ...byte) {
		var raw []byte
		for _, id := range ids {
			raw = append(raw, id, 0, 0, 0)
		}
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(2, 100, 3)
	a := benchOnce(t, text, "--tokens", "3", "--input", file)
	write(2, 200, 3)
	b := benchOnce(t, text, "--tokens", "3", "--input", file)
	if a.Check[0] == b.Check[0] || math.IsNaN(a.Check[0]) {
		t.Errorf("two inputs, one result: %v", a.Check)
	}
	write(2, 3)
	var out, complaint bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &complaint}
	if code := run(context.Background(), e, []string{"bench", text, "--tokens", "3", "--input", file}); code != 1 || !strings.Contains(complaint.String(), "holds 2 numbers") {
		t.Errorf("exit %d, %s", code, complaint.String())
	}
}
