package explain

import (
	"context"
	"errors"
	"fmt"
	"math"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// DriftRequest compares the explanations of two models of one task on a sample: two versions, or a model and its compressed
// copy. Slices name the group of each input, "" for none; the class explained is the one that Before predicts.
type DriftRequest struct {
	Before, After Engine
	Inputs        []inference.Input
	Slices        []string // nil, or one per input
	Method        string
	Params        map[string]any
	Seed          uint64
	Draws         int // as in Request
	Threads       int
	Progress      func(done, of int) // may be nil
}

// DriftRow is the mean over the inputs of one slice.
type DriftRow struct {
	Slice     string  `json:"slice"`
	Inputs    int     `json:"inputs"`
	Flipped   int     `json:"flipped"` // inputs whose predicted class differs
	Output    float64 `json:"output"`  // mean |change| of the explained scalar
	Spearman  float64 `json:"spearman"`
	TopK      float64 `json:"top_k"`      // Jaccard overlap of the K largest absolute values
	SignFlips float64 `json:"sign_flips"` // share of units whose value changed its sign
	AOPC      float64 `json:"aopc"`       // mean change of comprehensiveness, all modes
}

// Drift is the report. Skipped counts inputs that tokenize differently in the two models: their values belong to
// different units, and nothing is compared.
type Drift struct {
	Before  string     `json:"before"` // digests
	After   string     `json:"after"`
	Method  string     `json:"method"`
	Version string     `json:"version"`
	K       int        `json:"k"`
	Total   DriftRow   `json:"total"`
	Slices  []DriftRow `json:"slices,omitempty"`
	Skipped int        `json:"skipped"`
}

// driftK is the number of largest values whose overlap is reported.
const driftK = 5

// Compare makes a drift report. Errors as for Explain.
func Compare(ctx context.Context, r DriftRequest) (*Drift, error) {
	if len(r.Inputs) == 0 || r.Slices != nil && len(r.Slices) != len(r.Inputs) {
		return nil, fmt.Errorf("explain: a drift report of %d inputs in %d slices: %w", len(r.Inputs), len(r.Slices), inference.ErrInput)
	}
	m, ok := Lookup(r.Method)
	if !ok {
		return nil, fmt.Errorf("explain: %q is not a method of this program: %w", clip(r.Method), ErrUnknownMethod)
	}
	out := &Drift{Before: r.Before.Info().Digest, After: r.After.Info().Digest, Method: m.ID, Version: m.Version, K: driftK, Total: DriftRow{Slice: "all"}}
	rows := map[string]*DriftRow{}
	for i, in := range r.Inputs {
		d, err := r.one(ctx, in)
		if errors.Is(err, errUnits) {
			out.Skipped++
		} else if err != nil {
			return nil, err
		} else {
			out.Total.add(d)
			if r.Slices != nil {
				if rows[r.Slices[i]] == nil {
					rows[r.Slices[i]] = &DriftRow{Slice: r.Slices[i]}
				}
				rows[r.Slices[i]].add(d)
			}
		}
		if r.Progress != nil {
			r.Progress(i+1, len(r.Inputs))
		}
	}
	out.Total.mean()
	for _, name := range sortedKeys(rows) {
		rows[name].mean()
		out.Slices = append(out.Slices, *rows[name])
	}
	return out, nil
}

// errUnits: the two models cut an input into different units.
var errUnits = errors.New("different units")

// one compares the explanations of one input.
func (r DriftRequest) one(ctx context.Context, in inference.Input) (DriftRow, error) {
	q := Request{Model: r.Before, Input: in, Method: r.Method, Params: r.Params, Seed: r.Seed, Draws: r.Draws, Threads: r.Threads}
	before, err := Explain(ctx, q)
	if err != nil {
		return DriftRow{}, err
	}
	q.Model, q.Target = r.After, targetName(before.Target)
	after, err := Explain(ctx, q)
	if err != nil {
		return DriftRow{}, err
	}
	a, b := ranked(before), ranked(after)
	if len(a) != len(b) || !sameIDs(before.Tokens, after.Tokens) {
		return DriftRow{}, errUnits
	}
	q.Target = ""
	own, err := prepare(ctx, q)
	if err != nil {
		return DriftRow{}, err
	}
	if err := own.target(ctx); err != nil {
		return DriftRow{}, err
	}
	d := DriftRow{Inputs: 1, Output: math.Abs(after.Output - before.Output), Spearman: metric.Spearman(a, b), TopK: metric.TopOverlap(a, b, driftK),
		SignFlips: 1 - metric.SignAgreement(a, b), AOPC: aopc(after) - aopc(before)}
	if own.choice.shown.Index != before.Target.Index {
		d.Flipped = 1
	}
	return d, nil
}

// ranked are the values of the units that rank, with their sign.
func ranked(e *Explanation) []float64 {
	if e.Map != nil {
		return widen(e.Map.Data)
	}
	var out []float64
	for t, v := range e.Attributions {
		if !e.Tokens[t].Special {
			out = append(out, v)
		}
	}
	return out
}

func sameIDs(a, b []inference.Token) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID || a[i].Special != b[i].Special {
			return false
		}
	}
	return true
}

func aopc(e *Explanation) float64 {
	var values []float64
	for _, f := range e.Metrics {
		if f.ID == "comprehensiveness" {
			values = append(values, f.Value)
		}
	}
	return metric.Mean(values)
}

func (d *DriftRow) add(o DriftRow) {
	d.Inputs += o.Inputs
	d.Flipped += o.Flipped
	d.Output += o.Output
	d.Spearman += o.Spearman
	d.TopK += o.TopK
	d.SignFlips += o.SignFlips
	d.AOPC += o.AOPC
}

func (d *DriftRow) mean() {
	if d.Inputs == 0 {
		return
	}
	for _, v := range []*float64{&d.Output, &d.Spearman, &d.TopK, &d.SignFlips, &d.AOPC} {
		*v /= float64(d.Inputs)
	}
}
