package main

import (
	"context"
	"slices"
	"sync/atomic"

	"vitrine/explain"
	"vitrine/inference"
)

// benchMethods are the explanations that are measured, each with the class whose logit it explains (-1: the predicted one).
// A run is the method alone: one target, chosen before, no faithfulness figures, no output at the baseline unless the method
// itself needs it. That is what the functions do that they are compared with.
var benchMethods = []struct {
	id    string
	class int
}{{"input-x-gradient", 1}, {"integrated-gradients", -1}, {"occlusion", 1}, {"grad-cam", 7}}

func init() {
	for _, b := range benchMethods {
		registerBench(benchCase{name: b.id, model: true, run: func(ctx context.Context, o *benchOptions) (*benchResult, error) {
			return benchExplain(ctx, o, b.id, b.class)
		}})
	}
}

func benchExplain(ctx context.Context, o *benchOptions, id string, class int) (*benchResult, error) {
	var p *explain.Problem
	var last *explain.Attribution
	var spent *spending
	r, err := measureModel(ctx, o, func(ctx context.Context, m *inference.Model, batch []inference.Example) (benchStep, error) {
		if len(batch) != 1 {
			return nil, usagef("--case %s explains one input at a time", id)
		}
		spent = &spending{Engine: m}
		var err error
		if p, err = benchProblem(ctx, spent, id, batch[0], class, o); err != nil {
			return nil, err
		}
		return func(ctx context.Context) ([]float32, error) {
			spent.forwards.Store(0)
			spent.gradients.Store(0)
			a, err := explain.Attribute(ctx, id, p)
			if err != nil {
				return nil, err
			}
			last = a
			var first []float32
			for _, v := range a.Values[:min(3, len(a.Values))] {
				first = append(first, float32(v))
			}
			return first, nil
		}, nil
	})
	if err != nil {
		return nil, err
	}
	if id == "integrated-gradients" {
		delta := last.Delta()
		r.Delta = &delta
	}
	r.TokensPerS = 0
	r.Forwards, r.Gradients = spent.forwards.Load(), spent.gradients.Load()
	return r, nil
}

// benchProblem makes every choice that an explanation needs.
func benchProblem(ctx context.Context, m explain.Engine, id string, x inference.Example, class int, o *benchOptions) (*explain.Problem, error) {
	info := m.Info()
	method, ok := explain.Lookup(id)
	if !ok {
		return nil, usagef("--case %s: no such method", id)
	}
	given := map[string]any{}
	if id == "integrated-gradients" {
		given["profile"] = o.profile
		if o.profile == "captum" {
			given["steps"] = o.steps
		}
	}
	params, err := method.Resolve(given)
	if err != nil {
		return nil, err
	}
	out, err := m.Run(ctx, []inference.Example{x}, inference.RunSpec{Threads: o.threads})
	if err != nil {
		return nil, err
	}
	logits := out[0].Output
	if len(logits.Shape) != 1 {
		return nil, usagef("--case %s needs a classifier; the output of this model has shape %v", id, logits.Shape)
	}
	if class < 0 {
		class = slices.Index(logits.Data, slices.Max(logits.Data))
	}
	p := &explain.Problem{Engine: m, Info: info, Example: x, Params: params, Threads: o.threads, Bare: true,
		Target: inference.Target{Index: []int{min(class, len(logits.Data)-1)}}}
	if p.Baseline, err = benchBaseline(info, id, x); err != nil {
		return nil, err
	}
	for i, id := range x.IDs {
		p.Tokens = append(p.Tokens, inference.Token{ID: id, Start: i, End: i + 1, Word: i, Index: i})
	}
	return p, nil
}

// benchBaseline is black for a picture. A text becomes PAD between its first and its last token; occlusion replaces every token by MASK.
func benchBaseline(info inference.Info, id string, x inference.Example) (explain.Baseline, error) {
	if x.Pixels != nil {
		return explain.Baseline{Name: "zero", Pixels: make([]float32, len(x.Pixels))}, nil
	}
	with, name := info.SpecialIDs.Pad, "pad"
	if id == "occlusion" {
		with, name = info.SpecialIDs.Mask, "mask"
	}
	if with < 0 {
		return explain.Baseline{}, usagef("--case %s: the checkpoint has no tokenizer that names its %s token", id, name)
	}
	ids := slices.Clone(x.IDs)
	for i := range ids {
		if id == "occlusion" || i > 0 && i < len(ids)-1 {
			ids[i] = with
		}
	}
	return explain.Baseline{Name: name, IDs: ids}, nil
}

// spending counts the examples that went through the engine.
type spending struct {
	explain.Engine
	forwards, gradients atomic.Int64
}

func (s *spending) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	if len(spec.Wrt) > 0 {
		s.gradients.Add(int64(len(batch)))
	} else {
		s.forwards.Add(int64(len(batch)))
	}
	return s.Engine.Run(ctx, batch, spec)
}
