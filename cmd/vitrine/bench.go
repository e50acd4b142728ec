package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func init() {
	register(command{name: "bench", summary: "measure the engine on one checkpoint", run: bench})
}

// benchResult is the --json form. Times are wall-clock seconds of one run of the case.
type benchResult struct {
	Case    string  `json:"case"`
	N       int     `json:"n"`
	MedianS float64 `json:"median_s"`
	MinS    float64 `json:"min_s"`
	P90S    float64 `json:"p90_s"`
	// CPUS is the processor time of one run, all threads together; 0 where the system does not tell.
	CPUS float64 `json:"cpu_s"`
	// PeakRSSMB is the peak resident memory of the whole process, 0 where the system does not tell.
	PeakRSSMB float64 `json:"peak_rss_mb"`
	// LoadS is the time from opening the checkpoint to the first result.
	LoadS    float64 `json:"load_s"`
	Threads  int     `json:"threads"`
	CPULevel string  `json:"cpu_level"`
	// Check holds the first three numbers of the result, to be compared with another engine's on the same input.
	Check      []float64 `json:"check,omitempty"`
	TokensPerS float64   `json:"tokens_per_s,omitempty"`
	// AloneTokensPerS is the rate of one stream; beside it, TokensPerS is that of eight.
	AloneTokensPerS float64  `json:"alone_tokens_per_s,omitempty"`
	Delta           *float64 `json:"delta,omitempty"`
	Gradients       int64    `json:"gradients,omitempty"`
	Forwards        int64    `json:"forwards,omitempty"`
	GFlops          float64  `json:"gflops,omitempty"`
	PeakGFlops      float64  `json:"peak_gflops,omitempty"`
	ShareOfPeak     float64  `json:"share_of_peak,omitempty"`
}

// benchOptions are the command line of one measurement.
type benchOptions struct {
	dir            string
	profile        string
	tokens, batch  int
	steps, threads int
	newTokens      int
	shape          string
	input          string
	loadOnly       bool
	quick          bool
}

// benchCase is one kind of measurement; each registers itself.
type benchCase struct {
	name  string
	model bool // needs a checkpoint
	run   func(ctx context.Context, o *benchOptions) (*benchResult, error)
}

var benchCases = map[string]benchCase{}

func registerBench(c benchCase) {
	if c.name == "" || c.run == nil || benchCases[c.name].run != nil {
		panic("vitrine: invalid or duplicate benchmark " + c.name)
	}
	benchCases[c.name] = c
}

func benchNames() []string { return slices.Sorted(maps.Keys(benchCases)) }

func bench(ctx context.Context, e *env, args []string) error {
	o := &benchOptions{}
	fs := flags(e, "bench", "[MODEL_DIR] --case "+strings.Join(benchNames(), "|")+" [flags] --json")
	var (
		kind   = fs.String("case", "forward", "what to measure")
		asJSON = fs.Bool("json", false, "print one JSON value")
	)
	fs.StringVar(&o.profile, "profile", "adaptive", "integrated-gradients: adaptive or captum")
	fs.IntVar(&o.tokens, "tokens", 128, "length of the input")
	fs.IntVar(&o.newTokens, "new-tokens", 32, "decode and generation-attribution: tokens to write")
	fs.IntVar(&o.batch, "batch", 1, "inputs at a time")
	fs.IntVar(&o.steps, "steps", 50, "integrated-gradients, captum: path points")
	fs.IntVar(&o.threads, "threads", 0, "processor threads (default: all)")
	fs.StringVar(&o.shape, "shape", "128x768x3072", "gemm and gemv: rows x inner x columns")
	fs.StringVar(&o.input, "input", "", "file of the input, raw little-endian: int32 ids (batch, tokens) or float32 pixels (batch, C, H, W)")
	fs.BoolVar(&o.loadOnly, "load-only", false, "stop after the first result")
	fs.BoolVar(&o.quick, "quick", false, "a dry run: one round, no warm-up")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	c, ok := benchCases[*kind]
	switch {
	case !ok:
		return usagef("--case %q is not one of %s", *kind, strings.Join(benchNames(), ", "))
	case c.model && len(rest) != 1:
		return usagef("give one checkpoint folder")
	case !c.model && len(rest) != 0:
		return usagef("--case %s takes no checkpoint", c.name)
	case o.tokens < 3 || o.batch < 1 || o.batch > maxBenchBatch || o.steps < 1 || o.threads < 0:
		return usagef("--tokens must be at least 3, --batch 1 to %d, --steps at least 1, --threads not negative", maxBenchBatch)
	}
	if c.model {
		o.dir = rest[0]
	}
	r, err := c.run(ctx, o)
	if err != nil {
		return err
	}
	r.Case = c.name
	if *asJSON {
		return printJSON(e.stdout, r)
	}
	fmt.Fprintf(e.stdout, "%s: median %.3f ms, min %.3f ms, p90 %.3f ms, n %d, processor %.3f ms, first result after %.3f s, peak %.0f MB, %s\n",
		r.Case, 1e3*r.MedianS, 1e3*r.MinS, 1e3*r.P90S, r.N, 1e3*r.CPUS, r.LoadS, r.PeakRSSMB, r.CPULevel)
	if r.AloneTokensPerS > 0 {
		fmt.Fprintf(e.stdout, "%.1f tokens/s together, %.1f alone: %.2f times\n", r.TokensPerS, r.AloneTokensPerS, r.TokensPerS/r.AloneTokensPerS)
	}
	if r.PeakGFlops > 0 {
		fmt.Fprintf(e.stdout, "%.1f GFLOP/s, %.1f %% of the measured peak of %.1f\n", r.GFlops, 100*r.ShareOfPeak, r.PeakGFlops)
	}
	return nil
}

// maxBenchBatch bounds --batch, as the engine does.
const maxBenchBatch = 4096
