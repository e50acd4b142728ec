package conformance

import (
	"context"

	"vitrine/inference"
)

func init() { register("forward", compareForward) }

// compareForward holds logits and embeddings against the reference library's.
func compareForward(ctx context.Context, s *subject) error {
	taps := map[string]string{"embeddings": s.info.Taps.Embeddings}
	if len(s.info.Taps.Hidden) > 0 {
		taps["embeddings_layernorm"] = s.info.Taps.Hidden[0]
	}
	var names []string
	for what, tap := range taps {
		if s.wants(what) && tap != "" {
			names = append(names, tap)
		}
	}
	got := map[string][][]float64{}
	for _, p := range s.problems {
		out, err := s.model.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Taps: names})
		if err != nil {
			return err
		}
		got["logits"] = append(got["logits"], widen(out[0].Output.Data))
		for what, tap := range taps {
			if s.wants(what) {
				got[what] = append(got[what], widen(out[0].Taps[tap].Data))
			}
		}
	}
	s.compare("logits", got["logits"])
	for _, what := range []string{"embeddings", "embeddings_layernorm"} {
		s.compare(what, got[what], 1)
	}
	return nil
}

func widen(v []float32) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}
