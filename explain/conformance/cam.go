package conformance

import (
	"context"
	"math"
	"slices"

	"vitrine/explain"
	"vitrine/inference"
)

func init() {
	register("LayerGradCam", compareCAM("grad-cam", nil))
	for name, method := range map[string]string{"gradcam": "grad-cam", "hirescam": "hires-cam", "gradcam_elementwise": "layer-cam",
		"layercam": "layer-cam", "xgradcam": "xgrad-cam", "gradcam_plusplus": "grad-cam-plus-plus", "eigencam": "eigen-cam",
		"eigengradcam": "eigen-grad-cam", "scorecam": "score-cam"} {
		register(name, compareCAM(method, nil))
	}
	register("ablationcam", compareCAM("ablation-cam", map[string]any{"ablate": "reference"}))
}

// compareCAM holds the raw map, and its display: grad-cam scales relu(map) to [0,1] before and after upsampling, Captum
// upsamples the raw map.
func compareCAM(method string, more map[string]any) runner {
	return func(ctx context.Context, s *subject) error {
		params := map[string]any{"layer": s.c.Layer}
		for k, v := range more {
			params[k] = v
		}
		list, err := s.each(ctx, method, params)
		if err != nil {
			return err
		}
		if method == "eigen-cam" || method == "eigen-grad-cam" {
			s.sameSign(list)
		}
		if method == "ablation-cam" {
			s.ablated(list)
		}
		s.compare("raw", collect(list, tokens))
		s.compare("attributions", collect(list, tokens))
		s.compare("weights", collect(list, func(a *explain.Attribution) []float64 { return a.Weights }))
		s.compare("relu", collect(list, func(a *explain.Attribution) []float64 { return relu(a.Values) }))
		s.compare("nearest", collect(list, func(a *explain.Attribution) []float64 { return s.nearest(a.Values, a.Shape) }))
		s.compare("bilinear", collect(list, func(a *explain.Attribution) []float64 { return s.upsample(a.Values, a.Shape) }))
		s.compare("display", collect(list, s.displayed))
		if s.wants("activations") || s.wants("gradients") {
			return s.camParts(ctx)
		}
		return nil
	}
}

func (s *subject) displayed(a *explain.Attribution) []float64 {
	return unit(s.upsample(unit(relu(a.Values)), a.Shape))
}

// ablated gives the maps of Ablation-CAM a scale: its weights are small differences of outputs, whose error refers to the
// largest value of a map.
func (s *subject) ablated(list []*explain.Attribution) {
	s.scale = map[string]float64{"display": 1}
	for _, a := range list {
		for _, v := range a.Values {
			s.scale["raw"] = max(s.scale["raw"], math.Abs(v))
		}
	}
}

// sameSign turns maps of arbitrary sign into the reference's sign.
func (s *subject) sameSign(list []*explain.Attribution) {
	want, err := s.tensor(s.c.Name + "/raw")
	if err != nil {
		return
	}
	dot, at := 0.0, 0
	for _, a := range list {
		for _, v := range a.Values {
			if at < len(want.data) {
				dot += v * want.data[at]
			}
			at++
		}
	}
	if dot >= 0 {
		return
	}
	for _, a := range list {
		for i := range a.Values {
			a.Values[i] = -a.Values[i]
		}
	}
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
		got["activations"] = append(got["activations"], channelsFirst(a))
		got["gradients"] = append(got["gradients"], channelsFirst(g))
	}
	for _, what := range []string{"activations", "gradients"} {
		s.compare(what, got[what])
	}
	return nil
}

// channelsFirst brings (T,D) of a vision transformer to (D,T-1): the class token is left out.
func channelsFirst(t inference.Tensor) []float64 {
	if len(t.Shape) != 2 {
		return widen(t.Data)
	}
	var out []float64
	for c := range t.Shape[1] {
		for i := 1; i < t.Shape[0]; i++ {
			out = append(out, float64(t.Data[i*t.Shape[1]+c]))
		}
	}
	return out
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
