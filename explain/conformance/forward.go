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
	if s.wants("logits_baseline") {
		var rows [][]float64
		for _, p := range s.problems {
			b, err := s.baseline(len(rows), len(p.Example.Pixels))
			if err != nil {
				return err
			}
			out, err := s.model.Run(ctx, []inference.Example{{Pixels: b, Shape: p.Example.Shape}}, inference.RunSpec{})
			if err != nil {
				return err
			}
			rows = append(rows, widen(out[0].Output.Data))
		}
		s.compare("logits_baseline", rows)
	}
	for _, what := range []string{"embeddings", "embeddings_layernorm"} {
		s.compare(what, got[what], 1)
	}
	return nil
}

// baseline is a row of the baseline recorded for all cases of the folder.
func (s *subject) baseline(row, n int) ([]float32, error) {
	v, err := s.tensor("input/baseline")
	if err != nil {
		return nil, err
	}
	if len(v.data) < (row+1)*n {
		return nil, unsupported("%d baseline values for row %d", len(v.data), row)
	}
	return narrow(v.data[row*n : (row+1)*n]), nil
}

func widen(v []float32) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}
