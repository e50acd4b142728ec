package conformance

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"vitrine/explain"
	"vitrine/explain/metric"
	"vitrine/inference"
)

func init() { register("MPRT", compareRandomisation) }

// compareRandomisation replaces weights from the output down by those of checkpoint_random, and holds the maps of each step
// and their rank correlation with the first.
func compareRandomisation(ctx context.Context, s *subject) error {
	var steps []string
	if !s.c.param("steps", &steps) {
		return unsupported("no steps are named")
	}
	random, err := fs.Sub(s.fsys, "checkpoint_random")
	if err != nil {
		return fmt.Errorf("conformance: opening the random checkpoint: %w", err)
	}
	fresh, err := explain.Tensors(random)
	if err != nil {
		return err
	}
	maps := map[string][][]float64{}
	for step := range len(steps) + 1 {
		fsys, err := explain.Rewritten(s.checkpoint, func(name string, _ int, _ []byte) ([]byte, error) {
			for _, prefix := range steps[:step] {
				if strings.HasPrefix(name, prefix) {
					return fresh[name], nil
				}
			}
			return nil, nil
		})
		if err != nil {
			return err
		}
		if err := s.mapsOf(ctx, fsys, maps); err != nil {
			return err
		}
	}
	for name, list := range maps {
		s.compare(name+".maps", list)
		var plain, size []float64
		for _, other := range list[1:] {
			a, b := s.content(list[0]), s.content(other)
			plain = append(plain, metric.Spearman(a, b))
			size = append(size, metric.Spearman(sizes(a), sizes(b)))
		}
		s.compare(name+".spearman", [][]float64{plain})
		s.compare(name+".spearman_abs", [][]float64{size})
	}
	return nil
}

// mapsOf explains the case's input on a checkpoint by every method that the case compares.
func (s *subject) mapsOf(ctx context.Context, fsys fs.FS, maps map[string][][]float64) error {
	m, err := inference.OpenFS(fsys, s.Family)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, p := range s.problems {
		p.Engine = m
	}
	for _, c := range []struct {
		name, method string
		params       map[string]any
	}{
		{"saliency_l2", "saliency", nil},
		{"saliency", "saliency", map[string]any{"reduce": "l1"}},
		{"ig", "integrated-gradients", map[string]any{"profile": "captum"}},
		{"chefer", "chefer", nil},
		{"guided_backprop", "guided-backprop", nil},
		{"gradcam", "grad-cam", map[string]any{"layer": "resnet.encoder.stages.0"}},
	} {
		if !s.wants(c.name + ".maps") {
			continue
		}
		list, err := s.each(ctx, c.method, c.params)
		if err != nil {
			return err
		}
		values := list[0].Values
		if c.name == "guided_backprop" { // the sum over channels of absolute values
			plane := len(values)
			values = make([]float64, plane)
			for i, v := range list[0].Detail {
				values[i%plane] += math.Abs(v)
			}
		}
		maps[c.name] = append(maps[c.name], values)
	}
	return nil
}

// content leaves special tokens out of a text's values.
func (s *subject) content(values []float64) []float64 {
	p := s.problems[0]
	if p.Example.Pixels != nil {
		return values
	}
	var out []float64
	for t, tok := range p.Tokens {
		if !tok.Special {
			out = append(out, values[t])
		}
	}
	return out
}

func sizes(v []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = math.Abs(v[i])
	}
	return out
}
