package conformance

import (
	"context"
	"fmt"

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

// compareRow holds a matrix of relevance and one row of it.
func compareRow(method string) runner {
	return func(ctx context.Context, s *subject) error {
		if len(s.problems) != 1 {
			return unsupported("attention of a batch")
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
	list, err := s.each(ctx, "value-zeroing", nil)
	if err != nil {
		return err
	}
	s.compare("scores", collect(list, detail), 0, 1, 2)
	s.compare("rollout", collect(list, func(a *explain.Attribution) []float64 { return a.Matrix }), 0, 1)
	return nil
}
