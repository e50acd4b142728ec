package conformance

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"vitrine/explain"
	"vitrine/inference"
)

func init() {
	register("attention", compareAttention)
	register("AttentionRollout", compareRow("attention-rollout"))
	register("CheferRelevance", compareRow("chefer"))
	register("AttentionFlow", compareRow("attention-flow"))
	register("ValueZeroing", compareValueZeroing)
}

// compareAttention holds attention probabilities and their gradients.
func compareAttention(ctx context.Context, s *subject) error {
	if len(s.problems) != 1 {
		return unsupported("attention of a batch")
	}
	if len(s.info.Taps.Attentions) == 0 {
		return unsupported("the model has no attention")
	}
	p := s.problems[0]
	if s.info.Taps.CrossAttentions != nil {
		return s.attentionAcross(ctx, p)
	}
	list, err := s.each(ctx, "attention", nil)
	if err != nil {
		return err
	}
	all := list[0].Attention
	size := len(all.Data) / all.Shape[0]
	target := p.Target
	out, err := s.model.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Target: &target, Wrt: s.info.Taps.Attentions})
	if err != nil {
		return err
	}
	for i, tap := range s.info.Taps.Attentions {
		s.compare(fmt.Sprintf("attentions.%d", i), [][]float64{widen(all.Data[i*size : (i+1)*size])}, 2, 3)
		s.compare(fmt.Sprintf("grad.attentions.%d", i), [][]float64{widen(out[0].Grads[tap].Data)}, 2, 3)
	}
	return nil
}

// attentionAcross holds the three kinds of attention of an encoder-decoder, with their gradients.
func (s *subject) attentionAcross(ctx context.Context, p *explain.Problem) error {
	t := s.info.Taps
	all := slices.Concat(t.Attentions, t.DecoderAttentions, t.CrossAttentions)
	target := p.Target
	out, err := s.model.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Target: &target, Taps: all, Wrt: all})
	if err != nil {
		return err
	}
	for kind, names := range map[string][]string{"encoder": t.Attentions, "decoder": t.DecoderAttentions, "cross": t.CrossAttentions} {
		for i, name := range names {
			s.compare(fmt.Sprintf("%s.%d", kind, i), [][]float64{widen(out[0].Taps[name].Data)})
			s.compare(fmt.Sprintf("grad.%s.%d", kind, i), [][]float64{widen(out[0].Grads[name].Data)})
		}
	}
	return nil
}

// compareAcross holds the relevance of an encoder-decoder. References marked as compatible keep the published code's 0/0,
// which wipes updates: they are compared with what keeps it.
func (s *subject) compareAcross(ctx context.Context) error {
	s.problems[0].Given = &explain.Given{KeepNaN: s.c.Profile == compatibility}
	list, err := s.each(ctx, "chefer", nil)
	if err != nil {
		return err
	}
	a := list[0]
	for i, what := range []string{"R_ss", "R_tt", "R_ts", "row_target"} {
		s.compare(what, [][]float64{a.Across[i]})
	}
	s.compare("row_source", [][]float64{a.Values})
	return nil
}

// compareRow holds a matrix of relevance and one row of it.
func compareRow(method string) runner {
	return func(ctx context.Context, s *subject) error {
		if len(s.problems) != 1 {
			return unsupported("attention of a batch")
		}
		if s.info.Taps.CrossAttentions != nil {
			s.problems[0].Bare = true // these folders name no padding token
			if method == "chefer" {
				return s.compareAcross(ctx)
			}
		}
		row := 0
		s.c.param("row", &row)
		list, err := s.each(ctx, method, map[string]any{"row": row})
		if err != nil {
			return err
		}
		s.compare("matrix", collect(list, func(a *explain.Attribution) []float64 { return a.Matrix }), 0, 1)
		s.compare("row", collect(list, tokens), 0)
		s.compare("patches", collect(list, tokens))
		if s.wants("map") {
			s.compare("map", collect(list, func(a *explain.Attribution) []float64 { return s.upsample(a.Values, a.Shape) }))
		}
		return nil
	}
}

func compareValueZeroing(ctx context.Context, s *subject) error {
	// the references read a layer's own output, which in some families a final norm follows
	for _, own := range []string{"model.layers."} {
		taps := slices.Clone(s.info.Taps.Hidden)
		last := own + strconv.Itoa(len(taps)-2)
		if _, err := s.model.Run(ctx, []inference.Example{s.problems[0].Example}, inference.RunSpec{Taps: []string{last}}); err == nil {
			taps[len(taps)-1] = last
			s.problems[0].Info.Taps.Hidden = taps
		}
	}
	list, err := s.each(ctx, "value-zeroing", nil)
	if err != nil {
		return err
	}
	s.compare("scores", collect(list, detail), 0, 1, 2)
	s.compare("rollout", collect(list, func(a *explain.Attribution) []float64 { return a.Matrix }), 0, 1)
	return nil
}
