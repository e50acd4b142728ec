package conformance

import (
	"context"
	"slices"

	"vitrine/explain"
	"vitrine/inference"
)

func init() {
	register("gradcam", compareGradCAM)
	register("LayerGradCam", compareGradCAM)
}

// compareGradCAM holds the raw map, and its display: grad-cam scales relu(map) to [0,1] before and after upsampling,
// Captum upsamples the raw map.
func compareGradCAM(ctx context.Context, s *subject) error {
	if !slices.Contains(s.info.Taps.Features, s.c.Layer) {
		out, err := s.model.Run(ctx, []inference.Example{s.problems[0].Example}, inference.RunSpec{Taps: []string{s.c.Layer}})
		if err != nil || len(out[0].Taps[s.c.Layer].Shape) != 3 {
			return unsupported("layer %s is not a feature map of the model", s.c.Layer)
		}
		s.info.Taps.Features = append(slices.Clone(s.info.Taps.Features), s.c.Layer)
		for _, p := range s.problems {
			p.Info = s.info
		}
	}
	list, err := s.each(ctx, "grad-cam", map[string]any{"layer": s.c.Layer})
	if err != nil {
		return err
	}
	s.compare("raw", collect(list, tokens))
	s.compare("attributions", collect(list, tokens))
	s.compare("relu", collect(list, func(a *explain.Attribution) []float64 { return relu(a.Values) }))
	s.compare("nearest", collect(list, func(a *explain.Attribution) []float64 { return s.nearest(a.Values, a.Shape) }))
	s.compare("bilinear", collect(list, func(a *explain.Attribution) []float64 { return s.upsample(a.Values, a.Shape) }))
	s.compare("display", collect(list, func(a *explain.Attribution) []float64 {
		return unit(s.upsample(unit(relu(a.Values)), a.Shape))
	}))
	return s.camParts(ctx)
}

// camParts holds activations, gradients and channel weights.
func (s *subject) camParts(ctx context.Context) error {
	got := map[string][][]float64{}
	for _, p := range s.problems {
		target := p.Target
		out, err := s.model.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Taps: []string{s.c.Layer}, Wrt: []string{s.c.Layer}, Target: &target})
		if err != nil {
			return err
		}
		a, g := out[0].Taps[s.c.Layer], out[0].Grads[s.c.Layer]
		got["activations"] = append(got["activations"], widen(a.Data))
		got["gradients"] = append(got["gradients"], widen(g.Data))
		weights := make([]float64, a.Shape[0])
		plane := a.Shape[1] * a.Shape[2]
		for i, v := range g.Data {
			weights[i/plane] += float64(v) / float64(plane)
		}
		got["weights"] = append(got["weights"], weights)
	}
	for _, what := range []string{"activations", "gradients", "weights"} {
		s.compare(what, got[what])
	}
	return nil
}

func (s *subject) upsample(values []float64, shape []int) []float64 {
	picture := s.problems[0].Example.Shape
	return widen(explain.Upsample(inference.Tensor{Shape: shape, Data: narrow(values)}, picture[1], picture[2]).Data)
}

// nearest repeats each value of the map over the pixels it stands for.
func (s *subject) nearest(values []float64, shape []int) []float64 {
	picture := s.problems[0].Example.Shape
	var out []float64
	for y := range picture[1] {
		for x := range picture[2] {
			out = append(out, values[y*shape[0]/picture[1]*shape[1]+x*shape[1]/picture[2]])
		}
	}
	return out
}

func relu(v []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = max(v[i], 0)
	}
	return out
}

// unit is grad-cam's scale_cam_image: (c - min) / (1e-7 + max(c - min)).
func unit(v []float64) []float64 {
	low := slices.Min(v)
	top := slices.Max(v) - low
	out := make([]float64, len(v))
	for i := range v {
		out[i] = (v[i] - low) / (1e-7 + top)
	}
	return out
}
