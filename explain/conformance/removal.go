package conformance

import (
	"context"

	"vitrine/explain"
	"vitrine/explain/metric"
)

func init() {
	register("comprehensiveness/sufficiency", compareRemoval)
}

// compareRemoval holds the removal figures for the recorded scores.
func compareRemoval(ctx context.Context, s *subject) error {
	if len(s.problems) != 1 || s.problems[0].Example.IDs == nil {
		return unsupported("removal from this input")
	}
	var fractions []float64
	if !s.c.param("fractions", &fractions) {
		return unsupported("no fractions are named")
	}
	recorded, err := s.tensor(s.c.Name + "/scores")
	if err != nil {
		return err
	}
	p := s.problems[0]
	var units []int
	var scores []float64
	for t, tok := range p.Tokens {
		if !tok.Special {
			units, scores = append(units, t), append(scores, recorded.data[s.keep[0][t]])
		}
	}
	s.compare("scores", [][]float64{recorded.data})
	order := metric.Order(scores)
	positions := make([]float64, len(order))
	for i, u := range order {
		positions[i] = float64(units[u])
	}
	s.compare("order", [][]float64{positions})
	subject := &metric.Subject{Value: explain.RemoveTokens(p, units)}
	for _, mode := range []string{"delete", "mask", "pad"} {
		for _, what := range []string{"comprehensiveness", "sufficiency"} {
			r := metric.Removal{Subject: subject, Mode: mode, Fractions: fractions, Rest: what == "sufficiency"}
			steps, err := r.Steps(ctx, [][]int{order})
			if err != nil {
				return err
			}
			s.compare(what+"."+mode, steps)
			total := 0.0
			for _, v := range steps[0] {
				total += v
			}
			s.compare("aopc_"+what+"."+mode, [][]float64{{total / float64(len(fractions))}})
		}
	}
	return s.compareLeaveOneOut(ctx, p, units, scores)
}

// compareLeaveOneOut deletes one token at a time and correlates the drops with the scores.
func (s *subject) compareLeaveOneOut(ctx context.Context, p *explain.Problem, units []int, scores []float64) error {
	sets := [][]int{{}}
	for u := range units {
		sets = append(sets, []int{u})
	}
	got, err := explain.RemoveTokens(p, units)(ctx, "delete", sets)
	if err != nil {
		return err
	}
	drops := make([]float64, len(units))
	for u := range units {
		drops[u] = got[0] - got[u+1]
	}
	s.compare("loo_delete", [][]float64{drops})
	s.compare("tau_loo_delete", [][]float64{{metric.Kendall(scores, drops)}})
	return nil
}
