package conformance

import (
	"context"
	"math"
	"slices"

	"vitrine/explain"
)

func init() {
	register("GuidedBackprop", compareDetail("guided-backprop"))
	register("Deconvolution", compareDetail("deconvolution"))
	register("GuidedGradCam", compareDetail("guided-grad-cam"))
	register("DeepLift", compareDeepLIFT)
	register("DeepLiftShap", compareDeepLIFTSHAP)
}

// compareDetail holds the unreduced values of a method; a layer is handed on where the case names one.
func compareDetail(method string) runner {
	return func(ctx context.Context, s *subject) error {
		params := map[string]any{}
		if s.c.Layer != "" {
			params["layer"] = s.c.Layer
		}
		list, err := s.each(ctx, method, params)
		if err != nil {
			return err
		}
		s.compare("attributions", collect(list, detail))
		return nil
	}
}

// compatibility marks references that reproduce a library's defect.
const compatibility = "compatibility"

func compareDeepLIFT(ctx context.Context, s *subject) error {
	params := map[string]any{}
	if s.c.Profile == compatibility || s.pooled {
		params["pool"] = "gradient"
	}
	list, err := s.each(ctx, "deeplift", params)
	if err != nil {
		return err
	}
	s.compareList(list)
	return nil
}

func compareDeepLIFTSHAP(ctx context.Context, s *subject) error {
	if s.c.Baseline == nil || s.c.Baseline.Tensor == "" {
		return unsupported("no set of baselines is named")
	}
	v, err := s.tensor(s.c.Baseline.Tensor)
	if err != nil {
		return err
	}
	var rows [][]float64
	for row := range slices.Chunk(v.data, s.inputSize()) {
		rows = append(rows, row)
	}
	for _, p := range s.problems {
		p.Given = &explain.Given{Baselines: narrowRows(rows)}
	}
	list, err := s.each(ctx, "deeplift-shap", nil)
	if err != nil {
		return err
	}
	s.compare("attributions", collect(list, detail))
	var deltas []float64
	scale := 0.0
	for _, a := range list {
		deltas = append(deltas, a.SampleDeltas...)
		scale = max(scale, math.Abs(a.Output)+math.Abs(a.BaselineOutput))
	}
	s.compareDeltas("delta_per_pair", deltas, scale)
	return nil
}
