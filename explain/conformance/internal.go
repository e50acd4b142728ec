package conformance

import (
	"context"
	"math"
	"slices"

	"vitrine/explain"
	"vitrine/inference"
)

func init() {
	register("LogitLens", compareLens)
	register("DirectLogitAttribution", compareDirect)
	register("ActivationPatching", comparePatching)
	register("AttributionPatching", compareAttributionPatching)
}

// compareLens reads the states of every layer by the model's own last norm and head, at all positions at once.
func compareLens(ctx context.Context, s *subject) error {
	p, taps := s.problems[0], s.info.Taps
	states := append(slices.Clone(taps.Hidden[:len(taps.Hidden)-1]), taps.Residual)
	out, err := s.model.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Taps: states})
	if err != nil {
		return err
	}
	final := out[0].Output
	v := final.Shape[1]
	var logits, ids, best5, logprobs, ranks, apart []float64
	for _, tap := range states {
		x := p.Example
		x.Patch = map[string]inference.Tensor{taps.Residual: out[0].Taps[tap]}
		read, err := s.model.Run(ctx, []inference.Example{x}, inference.RunSpec{})
		if err != nil {
			return err
		}
		for t := range final.Shape[0] {
			row, last := widen(read[0].Output.Data[t*v:(t+1)*v]), logSoftmax(widen(final.Data[t*v:(t+1)*v]))
			logits = append(logits, row...)
			for _, id := range best(row, 5) {
				ids, best5 = append(ids, id), append(best5, row[int(id)])
			}
			rank, kl, own := 0.0, 0.0, logSoftmax(row)
			for i := range row {
				if row[i] > row[s.c.Target.Index] {
					rank++
				}
				kl += math.Exp(last[i]) * (last[i] - own[i])
			}
			logprobs, ranks, apart = append(logprobs, own[s.c.Target.Index]), append(ranks, rank), append(apart, kl)
		}
	}
	for what, values := range map[string][]float64{"logits": logits, "top5_ids": ids, "top5_logits": best5, "target_logprob": logprobs, "target_rank": ranks, "kl_to_final": apart} {
		s.compare(what, [][]float64{values})
	}
	return s.lensByMethod(ctx, logits, v)
}

// lensByMethod holds the method's grid, whose row l and position t is what the state of t would say where the next word is read,
// against the logits.
func (s *subject) lensByMethod(ctx context.Context, logits []float64, v int) error {
	p := *s.problems[0]
	p.Target, p.Params = inference.Target{Index: []int{s.c.Target.Index}}, map[string]any{"row": -1}
	a, err := explain.Attribute(ctx, "logit-lens", &p)
	if err != nil {
		return err
	}
	for l, row := range a.Grid.Values {
		for t, got := range row {
			if want := logits[(l*len(row)+t)*v+s.c.Target.Index]; got != want {
				s.report("logits of the method", math.Abs(got-want), 0, false, nil)
			}
		}
	}
	return nil
}

func logSoftmax(row []float64) []float64 {
	top := slices.Max(row)
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(v - top)
	}
	out := make([]float64, len(row))
	for i, v := range row {
		out[i] = v - top - math.Log(sum)
	}
	return out
}

// compareDirect splits the logit of a word, and its distance from another's, at every position over the parts of the residual sum.
func compareDirect(ctx context.Context, s *subject) error {
	p := s.problems[0]
	var word int
	var pair []int
	if !s.c.param("logit", &word) || !s.c.param("diff", &pair) || len(pair) != 2 {
		return unsupported("direct logit attribution without a word and a pair")
	}
	parts, err := explain.ReadParts(ctx, s.model, p.Example, 0)
	if err != nil {
		return err
	}
	s.compare("scale", [][]float64{parts.Scale})
	last := s.info.Taps.Hidden[len(s.info.Taps.Hidden)-1]
	for what, target := range map[string]inference.Target{"logit": {Index: []int{word}}, "diff": {Index: pair[:1], Minus: pair[1:], Quantity: "diff"}} {
		out, err := s.model.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Target: &target, Wrt: []string{last}})
		if err != nil {
			return err
		}
		g, positions := out[0].Grads[last], len(p.Example.IDs)
		slope := widen(g.Data[len(g.Data)-g.Shape[1]:])
		var values, biases []float64
		for k := range parts.Names {
			for t := range positions {
				values = append(values, parts.Direct(k, t, slope))
			}
		}
		bias := 0.0
		for j, b := range parts.Bias {
			bias += b * slope[j]
		}
		s.compare(what, [][]float64{values})
		s.compare("norm_bias_"+what, [][]float64{slices.Repeat(append(biases, bias), positions)})
	}
	return nil
}

// sites names the references' sites in the method's words.
var sites = map[string]string{"resid": "hidden", "attn": "attention", "mlp": "mlp"}

// patching is the problem whose baseline is the corrupted input.
func (s *subject) patching() (*explain.Problem, error) {
	corrupt := s.c.Input.Corrupted
	if len(corrupt) != 1 || len(corrupt[0]) != len(s.problems[0].Example.IDs) || s.c.Target == nil || s.c.Target.Minus == nil {
		return nil, unsupported("patching without a corrupted input and a pair of words")
	}
	p := *s.problems[0]
	p.Baseline = explain.Baseline{Name: "recorded", IDs: corrupt[0]}
	p.Target = inference.Target{Index: []int{s.c.Target.Index}, Minus: []int{*s.c.Target.Minus}, Quantity: "diff"}
	return &p, nil
}

func comparePatching(ctx context.Context, s *subject) error {
	p, err := s.patching()
	if err != nil {
		return err
	}
	for site, name := range sites {
		p.Params = map[string]any{"site": name}
		a, err := explain.Attribute(ctx, "activation-patching", p)
		if err != nil {
			return err
		}
		s.compare("metric_clean", [][]float64{{a.Output}})
		s.compare("metric_corrupt", [][]float64{{a.BaselineOutput}})
		var metric, restored []float64
		for _, row := range a.Grid.Values[:s.info.Layers] {
			for _, v := range row {
				metric, restored = append(metric, v+a.BaselineOutput), append(restored, v/(a.Output-a.BaselineOutput))
			}
		}
		whole, err := s.wholePatched(ctx, p, name, a)
		if err != nil {
			return err
		}
		s.compare(site+".metric", [][]float64{metric})
		s.compare(site+".restored", [][]float64{restored})
		s.compare(site+".all_positions.restored", [][]float64{whole})
	}
	return nil
}

// wholePatched writes a layer over at all positions at once.
func (s *subject) wholePatched(ctx context.Context, p *explain.Problem, site string, a *explain.Attribution) ([]float64, error) {
	taps := map[string][]string{"hidden": s.info.Taps.Hidden[:s.info.Layers], "attention": s.info.Taps.Attended, "mlp": s.info.Taps.Fed}[site]
	clean, err := s.model.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Taps: taps})
	if err != nil {
		return nil, err
	}
	var out []float64
	for _, tap := range taps {
		x := inference.Example{IDs: p.Baseline.IDs, Patch: map[string]inference.Tensor{tap: clean[0].Taps[tap]}}
		r, err := s.model.Run(ctx, []inference.Example{x}, inference.RunSpec{Target: &p.Target})
		if err != nil {
			return nil, err
		}
		out = append(out, (r[0].Value-a.BaselineOutput)/(a.Output-a.BaselineOutput))
	}
	return out, nil
}

func compareAttributionPatching(ctx context.Context, s *subject) error {
	p, err := s.patching()
	if err != nil {
		return err
	}
	for site, name := range sites {
		p.Params = map[string]any{"site": name}
		a, err := explain.Attribute(ctx, "attribution-patching", p)
		if err != nil {
			return err
		}
		s.compare(site, [][]float64{slices.Concat(a.Grid.Values[:s.info.Layers]...)})
	}
	return nil
}
