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
}

// onInput says whether the case differentiates the input that our methods differentiate.
func (s *subject) onInput() error {
	switch {
	case s.c.Layer == "", s.c.Layer == "pixel_values", strings.HasSuffix(s.c.Layer, ".word_embeddings"):
		return nil
	}
	return unsupported("layer %s: methods on inner layers are not built yet", s.c.Layer)
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
	if err := s.onInput(); err != nil {
		return err
	}
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
	if err := s.onInput(); err != nil {
		return err
	}
	list, err := s.each(ctx, "input-x-gradient", nil)
	if err != nil {
		return err
	}
	s.compare("attributions", collect(list, detail), 1)
	s.compare("tokens", collect(list, tokens), 1)
	return nil
}

func compareIntegratedGradients(ctx context.Context, s *subject) error {
	if err := s.onInput(); err != nil {
		return err
	}
	multiply := true
	if s.c.param("multiply_by_inputs", &multiply); !multiply {
		return unsupported("integrated gradients without the factor x-b are not built yet")
	}
	var rule string
	var steps int
	if !s.c.param("method", &rule) || !s.c.param("n_steps", &steps) {
		return unsupported("no rule is named")
	}
	list, err := s.each(ctx, "integrated-gradients", map[string]any{"profile": "captum", "rule": rule, "steps": steps})
	if err != nil {
		return err
	}
	s.compare("attributions", collect(list, detail), 1)
	s.compare("tokens", collect(list, tokens), 1)
	var deltas, scales []float64
	for _, a := range list {
		deltas, scales = append(deltas, a.Delta()), append(scales, math.Abs(a.Output)+math.Abs(a.BaselineOutput))
	}
	s.compareDelta(deltas, scales)
	s.compare("f_input", collect(list, func(a *explain.Attribution) []float64 { return []float64{a.Output} }))
	s.compare("f_baseline", collect(list, func(a *explain.Attribution) []float64 { return []float64{a.BaselineOutput} }))
	return nil
}
