package conformance

import (
	"context"
	"encoding/json"
	"slices"
)

func init() {
	register("Occlusion", compareOcclusion)
}

func compareOcclusion(ctx context.Context, s *subject) error {
	params := map[string]any{}
	var err error
	if s.c.Input.Features != nil {
		err = s.featureWindows(params)
	} else if s.problems[0].Example.Pixels != nil {
		err = s.imageWindows(params)
	} else {
		err = s.textWindows(params)
	}
	if err != nil {
		return err
	}
	list, err := s.each(ctx, "occlusion", params)
	if err != nil {
		return err
	}
	s.compare("attributions", collect(list, detail), 1)
	return nil
}

// textWindows: the references slide over special tokens too and put one id everywhere.
func (s *subject) textWindows(params map[string]any) error {
	var window, stride int
	var id int32
	if !s.c.param("stride", &stride) {
		stride = 1
	}
	if !s.c.param("window", &window) || !s.c.param("replacement_id", &id) {
		return unsupported("windows of this kind")
	}
	params["window"], params["stride"] = window, stride
	for _, p := range s.problems {
		p.Baseline.IDs = slices.Repeat([]int32{id}, len(p.Example.IDs))
	}
	return nil
}

// featureWindows slide along a row of features.
func (s *subject) featureWindows(params map[string]any) error {
	var window, stride int
	var value float64
	if !s.c.param("window", &window) || !s.c.param("stride", &stride) || !s.c.param("baseline", &value) {
		return unsupported("windows of this kind")
	}
	params["window"], params["stride"] = window, stride
	for _, p := range s.problems {
		for i := range p.Baseline.Pixels {
			p.Baseline.Pixels[i] = float32(value)
		}
	}
	return nil
}

func (s *subject) imageWindows(params map[string]any) error {
	var window, stride []int
	var value float64
	if !s.c.param("window", &window) || !s.c.param("stride", &stride) || len(window) != 3 || len(stride) != 3 || window[1] != window[2] || stride[1] != stride[2] {
		return unsupported("windows of this kind")
	}
	params["window"], params["stride"] = window[1], stride[1]
	switch channels := s.problems[0].Example.Shape[0]; {
	case window[0] >= channels:
	case window[0] == 1 && stride[0] == 1:
		params["channels"] = "each"
	default:
		return unsupported("windows of %d channels", window[0])
	}
	if raw, ok := s.c.Params["baseline"]; ok && json.Unmarshal(raw, &value) != nil {
		return unsupported("baselines of this kind")
	}
	for _, p := range s.problems {
		for i := range p.Baseline.Pixels {
			p.Baseline.Pixels[i] = float32(value)
		}
	}
	return nil
}
