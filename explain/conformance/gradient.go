package conformance

import (
	"context"
	"math"
	"strings"

	"vitrine/explain"
)

func init() {
	register("Saliency", compareSaliency)
	register("InputXGradient", compareInputXGradient)
	register("IntegratedGradients", compareIntegratedGradients)
	register("LayerIntegratedGradients", compareIntegratedGradients)
	register("LayerGradientXActivation", compareInputXGradient)
	register("LayerConductance", compareConductance)
	register("SequentialIG", compareSequentialIG)
}

// onInput says whether the case differentiates the input, and not an inner layer.
func (s *subject) onInput() bool {
	return s.c.Layer == "" || s.c.Layer == "pixel_values" || s.c.Layer == "input" || strings.HasSuffix(s.c.Layer, ".word_embeddings")
}

// each runs a method on every row.
func (s *subject) each(ctx context.Context, method string, params map[string]any) ([]*explain.Attribution, error) {
	out := make([]*explain.Attribution, len(s.problems))
	m, _ := explain.Lookup(method)
	for i, p := range s.problems {
		resolved, err := m.Resolve(params)
		if err != nil {
			return nil, err
		}
		p.Params = resolved
		if out[i], err = explain.Attribute(ctx, method, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// collect takes one slice of numbers from each row's attribution.
func collect(list []*explain.Attribution, take func(*explain.Attribution) []float64) [][]float64 {
	out := make([][]float64, len(list))
	for i, a := range list {
		out[i] = take(a)
	}
	return out
}

func detail(a *explain.Attribution) []float64 { return a.Detail }
func tokens(a *explain.Attribution) []float64 { return a.Values }

func compareSaliency(ctx context.Context, s *subject) error {
	for _, r := range []struct{ what, reduce string }{
		{"tokens_l2", "l2"}, {"tokens_l1", "l1"}, {"tokens_sum", "sum"}, {"pixel_max_abs", "max"}, {"pixel_sum", "sum"},
	} {
		if !s.wants(r.what) {
			continue
		}
		list, err := s.each(ctx, "saliency", map[string]any{"reduce": r.reduce})
		if err != nil {
			return err
		}
		s.compare(r.what, collect(list, tokens), 1)
	}
	list, err := s.each(ctx, "saliency", nil)
	if err != nil {
		return err
	}
	s.compare("gradient", collect(list, detail), 1)
	s.compare("abs", collect(list, func(a *explain.Attribution) []float64 {
		out := make([]float64, len(a.Detail))
		for i, v := range a.Detail {
			out[i] = math.Abs(v)
		}
		return out
	}), 1)
	return nil
}

func compareInputXGradient(ctx context.Context, s *subject) error {
	method, params := "input-x-gradient", map[string]any(nil)
	switch {
	case strings.HasPrefix(s.c.Layer, "word+position+type sum"):
		method, params = "layer-gradient-x-activation", map[string]any{"layer": "embeddings.sum"}
	case !s.onInput():
		method, params = "layer-gradient-x-activation", map[string]any{"layer": s.c.Layer}
	}
	list, err := s.each(ctx, method, params)
	if err != nil {
		return err
	}
	s.compare("attributions", collect(list, detail), 1)
	s.compare("tokens", collect(list, tokens), 1)
	return nil
}

func compareIntegratedGradients(ctx context.Context, s *subject) error {
	multiply := true
	s.c.param("multiply_by_inputs", &multiply)
	for _, p := range s.problems {
		p.Local = !multiply
	}
	var rule string
	var steps int
	if !s.c.param("method", &rule) || !s.c.param("n_steps", &steps) {
		return unsupported("no rule is named")
	}
	method, params := "integrated-gradients", map[string]any{"profile": "captum", "rule": rule, "steps": steps}
	if !s.onInput() {
		method, params = "layer-integrated-gradients", map[string]any{"layer": s.c.Layer, "rule": rule, "steps": steps}
	}
	list, err := s.each(ctx, method, params)
	if err != nil {
		return err
	}
	s.compareList(list)
	s.compare("f_input", collect(list, func(a *explain.Attribution) []float64 { return []float64{a.Output} }))
	s.compare("f_baseline", collect(list, func(a *explain.Attribution) []float64 { return []float64{a.BaselineOutput} }))
	return nil
}

// compareList holds values, tokens and deltas.
func (s *subject) compareList(list []*explain.Attribution) {
	s.compare("attributions", collect(list, detail), 1)
	s.compare("tokens", collect(list, tokens), 1)
	var deltas, scales []float64
	for _, a := range list {
		total := 0.0
		for _, v := range a.Detail {
			total += v
		}
		deltas, scales = append(deltas, total-(a.Output-a.BaselineOutput)), append(scales, math.Abs(a.Output)+math.Abs(a.BaselineOutput))
	}
	s.compareDelta(deltas, scales)
}

func compareConductance(ctx context.Context, s *subject) error {
	var rule string
	var steps int
	if !s.c.param("method", &rule) || !s.c.param("n_steps", &steps) {
		return unsupported("no rule is named")
	}
	list, err := s.each(ctx, "layer-conductance", map[string]any{"layer": s.c.Layer, "rule": rule, "steps": steps})
	if err != nil {
		return err
	}
	s.compareList(list)
	return nil
}

func compareSequentialIG(ctx context.Context, s *subject) error {
	var steps int
	if !s.c.param("n_steps", &steps) {
		return unsupported("no number of points is named")
	}
	list, err := s.each(ctx, "sequential-integrated-gradients", map[string]any{"steps": steps})
	if err != nil {
		return err
	}
	s.compare("tokens", collect(list, tokens), 1)
	return nil
}
