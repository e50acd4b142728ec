package conformance

import (
	"context"
	"encoding/json"
	"math"

	"vitrine/explain"
)

func init() {
	register("NoiseTunnel", compareNoise)
	register("GradientShap", compareGradientSHAP)
}

// recorded reads a tensor that a parameter names, cut into rows of n values.
func (s *subject) recorded(param string, n int) ([][]float64, error) {
	var ref tensorRef
	if !s.c.param(param, &ref) {
		return nil, unsupported("parameter %s is not recorded", param)
	}
	v, err := s.tensor(ref.Tensor)
	if err != nil {
		return nil, err
	}
	var out [][]float64
	for i := 0; n > 0 && i+n <= len(v.data); i += n {
		out = append(out, v.data[i:i+n])
	}
	return out, nil
}

// inputSize is the number of values of the differentiated input.
func (s *subject) inputSize() int {
	if p := s.problems[0]; p.Example.Pixels != nil {
		return len(p.Example.Pixels)
	}
	return len(s.problems[0].Example.IDs) * s.info.Hidden
}

func narrowRows(rows [][]float64) [][]float32 {
	out := make([][]float32, len(rows))
	for i, r := range rows {
		out[i] = narrow(r)
	}
	return out
}

// compareNoise holds mean, mean of squares and variance of a method over noisy copies of the input.
func compareNoise(ctx context.Context, s *subject) error {
	if len(s.problems) != 1 {
		return unsupported("noise on a batch")
	}
	noise, err := s.recorded("noise", s.inputSize())
	if err != nil {
		return err
	}
	s.problems[0].Given = &explain.Given{Noise: narrowRows(noise)}
	var inner string
	if json.Unmarshal(s.c.Inner["method"], &inner) != nil {
		return unsupported("no inner method is named")
	}
	if inner == "saliency" {
		inner = ""
	}
	for what, params := range map[string]map[string]any{"smoothgrad": {"samples": len(noise)}, "smoothgrad_sq": {"samples": len(noise), "square": true}} {
		list, err := s.noisy(ctx, "smoothgrad", inner, params)
		if err != nil {
			return err
		}
		s.compare(what, list, 1)
	}
	list, err := s.noisy(ctx, "vargrad", inner, map[string]any{"samples": len(noise)})
	if err != nil {
		return err
	}
	s.compare("vargrad", list, 1)
	return nil
}

func (s *subject) noisy(ctx context.Context, method, inner string, params map[string]any) ([][]float64, error) {
	if inner != "" {
		params["inner"] = "integrated-gradients"
	}
	list, err := s.each(ctx, method, params)
	return collect(list, detail), err
}

func compareGradientSHAP(ctx context.Context, s *subject) error {
	if len(s.problems) != 1 {
		return unsupported("gradient SHAP of a batch")
	}
	n := s.inputSize()
	noise, err := s.recorded("noise", n)
	if err != nil {
		return err
	}
	baselines, err := s.recorded("baselines", n)
	if err != nil {
		return err
	}
	alphas, err := s.recorded("alphas", 1)
	if err != nil {
		return err
	}
	picks, err := s.recorded("baseline_index", 1)
	if err != nil {
		return err
	}
	g := &explain.Given{Noise: narrowRows(noise), Baselines: narrowRows(baselines)}
	for i := range alphas {
		if i >= len(picks) || i >= len(noise) || picks[i][0] < 0 || int(picks[i][0]) >= len(baselines) {
			return unsupported("draws that do not belong together")
		}
		g.Alphas, g.Pick = append(g.Alphas, alphas[i][0]), append(g.Pick, int(picks[i][0]))
	}
	s.problems[0].Given = g
	list, err := s.each(ctx, "gradient-shap", map[string]any{"samples": len(alphas)})
	if err != nil {
		return err
	}
	s.compare("attributions", collect(list, detail), 1)
	deltas := list[0].SampleDeltas
	scale := 0.0
	for _, d := range deltas {
		scale = max(scale, math.Abs(d))
	}
	s.compareDeltas("delta_per_sample", deltas, max(scale, math.Abs(list[0].Output)))
	return nil
}
