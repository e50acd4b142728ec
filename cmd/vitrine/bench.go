package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"vitrine/explain"
	"vitrine/inference"
)

func init() {
	register(command{name: "bench", summary: "measure the engine on one checkpoint", run: bench})
}

// benchResult is the --json form (architecture: commands).
type benchResult struct {
	Case         string   `json:"case"`
	MedianS      float64  `json:"median_s"`
	MinS         float64  `json:"min_s"`
	P90S         float64  `json:"p90_s"`
	N            int      `json:"n"`
	PeakRSSMB    float64  `json:"peak_rss_mb"`
	LoadS        float64  `json:"load_s"`
	TokensPerS   *float64 `json:"tokens_per_s,omitempty"`
	Delta        *float64 `json:"delta,omitempty"`
	Gradients    *int     `json:"gradients,omitempty"`
	Threads      int      `json:"threads"`
	CPULevel     string   `json:"cpu_level"`
	FirstResultS float64  `json:"first_result_s"`
}

// benchRun is one case being measured: step does it once.
type benchRun struct {
	model   *inference.Model
	batch   []inference.Example
	method  string
	params  map[string]any
	threads int
	last    *explain.Explanation
}

// benchMethods maps the cases that are explanations to their method.
var benchMethods = map[string]string{
	"input-x-gradient": "input-x-gradient", "integrated-gradients": "integrated-gradients",
	"occlusion": "occlusion", "grad-cam": "grad-cam",
}

var benchCases = []string{"forward", "attentions", "input-x-gradient", "integrated-gradients", "occlusion", "grad-cam", "load"}

func bench(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "bench", "MODEL_DIR --case "+"forward|attentions|input-x-gradient|integrated-gradients|occlusion|grad-cam|load [--profile adaptive|captum --tokens N --batch N --steps N --threads N --min-time S] --json")
	var (
		kind    = fs.String("case", "forward", "what to measure")
		profile = fs.String("profile", "adaptive", "integrated gradients: adaptive or captum")
		tokens  = fs.Int("tokens", 128, "length of the input")
		batch   = fs.Int("batch", 1, "inputs at a time")
		steps   = fs.Int("steps", 50, "integrated gradients, captum: path points")
		threads = fs.Int("threads", 0, "processor threads (default: all)")
		minTime = fs.Float64("min-time", 2, "seconds to measure for")
		asJSON  = fs.Bool("json", false, "print one JSON value")
	)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one checkpoint folder")
	}
	if !slices.Contains(benchCases, *kind) {
		return usagef("--case %q is not one of %v", *kind, benchCases)
	}
	if *tokens < 3 || *batch < 1 || *steps < 1 || *minTime < 0 {
		return usagef("--tokens must be at least 3, --batch and --steps at least 1, --min-time not negative")
	}
	begin := time.Now()
	m, err := inference.Open(rest[0])
	if err != nil {
		return err
	}
	defer m.Close()
	load := time.Since(begin)
	b := &benchRun{model: m, threads: *threads, method: benchMethods[*kind], params: map[string]any{}}
	if b.batch, err = syntheticBatch(m.Info(), *batch, *tokens); err != nil {
		return err
	}
	if *kind == "integrated-gradients" {
		b.params["profile"] = *profile
		if *profile == "captum" {
			b.params["steps"] = *steps
		}
	}
	r := benchResult{Case: *kind, LoadS: load.Seconds(), Threads: *threads, CPULevel: inference.CPULevel()}
	if err := b.measure(ctx, *kind, rest[0], begin, *minTime, &r); err != nil {
		return err
	}
	if *kind == "forward" && m.Info().Modality == "text" {
		rate := float64(*tokens**batch) / r.MedianS
		r.TokensPerS = &rate
	}
	if b.last != nil {
		r.Delta, r.Gradients = &b.last.Delta, &b.last.Gradients
	}
	r.PeakRSSMB = peakRSS()
	if *asJSON {
		return printJSON(e.stdout, r)
	}
	fmt.Fprintf(e.stdout, "%s: median %.3f ms, min %.3f ms, p90 %.3f ms, n %d, load %.3f s, peak %.0f MB, %s\n", r.Case, 1e3*r.MedianS, 1e3*r.MinS, 1e3*r.P90S, r.N, r.LoadS, r.PeakRSSMB, r.CPULevel)
	return nil
}

// measure repeats the case, after one run that also gives the time to the first
// result, until min-time has passed and at least three times.
func (b *benchRun) measure(ctx context.Context, kind, dir string, begin time.Time, minTime float64, r *benchResult) error {
	step := b.step
	if kind == "load" {
		step = func(ctx context.Context, kind string) error {
			m, err := inference.Open(dir)
			if err != nil {
				return err
			}
			defer m.Close()
			_, err = m.Run(ctx, b.batch[:1], inference.RunSpec{Threads: b.threads})
			return err
		}
	}
	if err := step(ctx, kind); err != nil {
		return err
	}
	r.FirstResultS = time.Since(begin).Seconds()
	var took []float64
	for start := time.Now(); len(took) < 3 || time.Since(start).Seconds() < minTime; {
		t := time.Now()
		if err := step(ctx, kind); err != nil {
			return err
		}
		took = append(took, time.Since(t).Seconds())
	}
	slices.Sort(took)
	r.N, r.MinS, r.MedianS, r.P90S = len(took), took[0], took[len(took)/2], took[len(took)*9/10]
	return nil
}

func (b *benchRun) step(ctx context.Context, kind string) error {
	if b.method == "" {
		spec := inference.RunSpec{Threads: b.threads}
		if kind == "attentions" {
			spec.Taps = b.model.Info().Taps.Attentions
		}
		_, err := b.model.Run(ctx, b.batch, spec)
		return err
	}
	for _, ex := range b.batch {
		x, err := explain.Explain(ctx, explain.Request{Model: fixedInput{b.model, ex}, Method: b.method, Params: b.params, Draws: -1, Threads: b.threads})
		if err != nil {
			return err
		}
		b.last = x
	}
	return nil
}

// fixedInput is an engine whose every input is one given example, so that a
// length can be measured exactly, without a text that has it.
type fixedInput struct {
	*inference.Model
	example inference.Example
}

func (f fixedInput) Encode(context.Context, inference.Input) (*inference.Encoded, error) {
	w := inference.Window{Example: f.example, First: 0}
	for i, id := range f.example.IDs {
		special := i == 0 || i == len(f.example.IDs)-1
		w.Tokens = append(w.Tokens, inference.Token{ID: id, Special: special, Word: i, Start: i, End: i + 1})
	}
	return &inference.Encoded{Windows: []inference.Window{w}}, nil
}

// syntheticBatch makes inputs of the wanted size from a fixed rule.
func syntheticBatch(info inference.Info, n, tokens int) ([]inference.Example, error) {
	out := make([]inference.Example, n)
	for i := range out {
		if info.Modality == "image" {
			shape := []int{info.ImageChannels, info.ImageHeight, info.ImageWidth}
			px := make([]float32, shape[0]*shape[1]*shape[2])
			for j := range px {
				px[j] = float32((j*2654435761+i)%4096)/2048 - 1
			}
			out[i] = inference.Example{Pixels: px, Shape: shape}
			continue
		}
		if tokens > info.MaxTokens {
			return nil, usagef("--tokens %d is more than the model reads at once (%d)", tokens, info.MaxTokens)
		}
		ids := make([]int32, tokens)
		for j := range ids {
			ids[j] = int32(110 + (j*7+i)%89)
		}
		ids[0], ids[tokens-1] = info.SpecialIDs.CLS, info.SpecialIDs.Sep
		out[i] = inference.Example{IDs: ids, Types: make([]int32, tokens)}
	}
	return out, nil
}

// peakRSS is the process's peak resident memory in MB, 0 where the system does
// not tell.
func peakRSS() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kb float64
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return 0
}
