package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"vitrine/inference"
)

// benchLoads is the number of fresh processes; the first one warms the page cache and does not count.
const benchLoads = 4

func init() {
	registerBench(benchCase{name: "load", model: true, run: benchLoad})
	registerBench(benchCase{name: "first", model: true, run: func(ctx context.Context, o *benchOptions) (*benchResult, error) {
		return measureModel(ctx, o, func(_ context.Context, m *inference.Model, batch []inference.Example) (benchStep, error) {
			if m.Describe().Task == "text-generation" {
				return prefillStep(o, m, batch[0].IDs), nil
			}
			return forwardStep("forward", o, m, batch)
		})
	}})
}

// benchLoad starts fresh processes of this program that open the checkpoint and compute the first result, of 16 tokens or one picture: the output, or of a
// generator the next token.
func benchLoad(ctx context.Context, o *benchOptions) (*benchResult, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	runs := benchLoads
	if o.quick {
		runs = 2
	}
	var all []*benchResult
	for range runs {
		cmd := exec.CommandContext(ctx, self, "bench", o.dir, "--case", "first", "--tokens", "16", "--threads", strconv.Itoa(o.threads), "--load-only", "--json")
		cmd.Args[0] = os.Args[0]
		var complaint strings.Builder
		cmd.Stderr = &complaint
		raw, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("a fresh process: %w: %s", err, oneLine(complaint.String()))
		}
		r := &benchResult{}
		if err := json.Unmarshal(raw, r); err != nil {
			return nil, fmt.Errorf("a fresh process: %w", err)
		}
		all = append(all, r)
	}
	r := all[1]
	var took []float64
	for _, x := range all[1:] {
		took = append(took, x.LoadS)
		r.PeakRSSMB = max(r.PeakRSSMB, x.PeakRSSMB)
	}
	slices.Sort(took)
	r.N, r.MinS, r.MedianS, r.P90S = len(took), took[0], quantile(took, 0.5), quantile(took, 0.9)
	r.LoadS, r.TokensPerS = r.MedianS, 0
	return r, nil
}
