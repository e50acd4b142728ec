package conformance

import (
	"context"
	"math"
	"slices"

	"vitrine/explain"
	"vitrine/explain/metric"
	"vitrine/inference"
)

func init() {
	register("infidelity", compareInfidelity)
	register("sensitivity_max", compareSensitivity)
	register("agreement", compareAgreement)
	register("deletion/insertion", compareCurves)
	register("quality metrics", compareQuality)
}

// input gives the values of the differentiated input, and of the baseline.
func (s *subject) input(ctx context.Context, p *explain.Problem) (x, b []float32, err error) {
	if p.Example.Pixels != nil {
		return p.Example.Pixels, p.Baseline.Pixels, nil
	}
	tap := s.info.Taps.Embeddings
	out, err := s.model.Run(ctx, []inference.Example{p.Example, {IDs: p.Baseline.IDs, Types: p.Example.Types}}, inference.RunSpec{Taps: []string{tap}})
	if err != nil {
		return nil, nil, err
	}
	return out[0].Taps[tap].Data, out[1].Taps[tap].Data, nil
}

// at is the problem's example with another differentiated input.
func at(p *explain.Problem, values []float32) inference.Example {
	x := p.Example
	if x.Pixels != nil {
		x.Pixels = values
	} else {
		x.Embeddings = values
	}
	return x
}

// moved adds sign times a recorded tensor's rows to the input.
func moved(x []float32, row []float64, sign float64) []float32 {
	out := make([]float32, len(x))
	for i := range x {
		out[i] = float32(float64(x[i]) + sign*row[i])
	}
	return out
}

// attribution gives unreduced values of three methods on a problem: the gradient, input × gradient, and integrated gradients
// with 20 points, without the factor x-b where local.
func (s *subject) attribution(ctx context.Context, p explain.Problem, method string, local bool) ([]float64, error) {
	m, _ := explain.Lookup(method)
	params := map[string]any{}
	if method == "integrated-gradients" {
		params = map[string]any{"profile": "captum", "rule": "gausslegendre", "steps": 20}
	}
	var err error
	if p.Params, err = m.Resolve(params); err != nil {
		return nil, err
	}
	p.Local = local
	a, err := explain.Attribute(ctx, method, &p)
	if err != nil {
		return nil, err
	}
	return a.Detail, nil
}

func compareInfidelity(ctx context.Context, s *subject) error {
	p := s.problems[0]
	x, b, err := s.input(ctx, p)
	if err != nil {
		return err
	}
	rows, err := s.recorded("perturbation", len(x))
	if err != nil {
		return err
	}
	batch := []inference.Example{p.Example}
	for _, row := range rows {
		batch = append(batch, at(p, moved(x, row, -1)))
	}
	target := p.Target
	out, err := s.model.Run(ctx, batch, inference.RunSpec{Target: &target})
	if err != nil {
		return err
	}
	drops := make([]float64, len(rows))
	for i := range drops {
		drops[i] = out[0].Value - out[i+1].Value
	}
	for _, c := range []struct {
		what, method string
		local        bool
	}{{"saliency", "saliency", false}, {"ixg", "input-x-gradient", false}, {"ig_local", "integrated-gradients", true}, {"ig_global_decorator", "integrated-gradients", false}} {
		a, err := s.attribution(ctx, *p, c.method, c.local)
		if err != nil {
			return err
		}
		products := make([]float64, len(rows))
		for i, row := range rows {
			for k, v := range row {
				if c.what == "ig_global_decorator" {
					if d := float64(x[k]) - float64(b[k]); d != 0 {
						v /= d
					}
				}
				products[i] += float64(a[k] * v)
			}
		}
		s.compare(c.what, [][]float64{{metric.Mean(metric.Infidelity(products, drops, false))}})
		s.compare(c.what+".normalized", [][]float64{{metric.Mean(metric.Infidelity(products, drops, true))}})
	}
	return nil
}

func compareSensitivity(ctx context.Context, s *subject) error {
	p := s.problems[0]
	x, _, err := s.input(ctx, p)
	if err != nil {
		return err
	}
	rows, err := s.recorded("noise", len(x))
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what, method string
		abs          bool
	}{{"saliency_abs", "saliency", true}, {"saliency_signed", "saliency", false}, {"ig_gl20", "integrated-gradients", false}} {
		values := func(x []float32) ([]float64, error) {
			q := *p
			q.Example = at(p, x)
			a, err := s.attribution(ctx, q, c.method, false)
			for i := range a {
				if c.abs {
					a[i] = math.Abs(a[i])
				}
			}
			return a, err
		}
		first, err := values(x)
		if err != nil {
			return err
		}
		var others [][]float64
		for _, row := range rows {
			other, err := values(moved(x, row, 1))
			if err != nil {
				return err
			}
			others = append(others, other)
		}
		s.compare(c.what, [][]float64{{slices.Max(metric.Changes(first, others))}})
	}
	return nil
}

// mainTarget is the logit that the folder's cases explain, for cases that name none.
func (s *subject) mainTarget() inference.Target {
	for i := range s.Cases {
		if t := s.Cases[i].Target; t != nil && t.Kind == "logit" {
			return inference.Target{Index: []int{t.Index}, Quantity: "logit"}
		}
	}
	return inference.Target{Index: []int{0}, Quantity: "logit"}
}

func compareAgreement(ctx context.Context, s *subject) error {
	a, b, err := s.ranked(ctx)
	if err != nil {
		return err
	}
	s.compare("a", [][]float64{a})
	s.compare("b", [][]float64{b})
	s.compare("kendall_tau_b", [][]float64{{metric.Kendall(a, b)}})
	s.compare("spearman", [][]float64{{metric.Spearman(a, b)}})
	s.compare("pearson", [][]float64{{metric.Pearson(a, b)}})
	var ks []int
	s.c.param("topk", &ks)
	overlaps := make([]float64, len(ks))
	for i, k := range ks {
		overlaps[i] = metric.TopOverlap(a, b, k)
	}
	s.compare("topk_abs_jaccard", [][]float64{overlaps})
	return nil
}

// ranked gives the two attributions that a case compares: recorded ones, or made anew.
func (s *subject) ranked(ctx context.Context) (a, b []float64, err error) {
	if s.wants("a") && s.wants("b") {
		x, err := s.tensor(s.c.Name + "/a")
		if err != nil {
			return nil, nil, err
		}
		y, err := s.tensor(s.c.Name + "/b")
		return x.data, y.data, err
	}
	p := s.problems[0]
	p.Target = s.mainTarget()
	ig, err := s.each(ctx, "integrated-gradients", map[string]any{"profile": "captum"})
	if err != nil {
		return nil, nil, err
	}
	a = ig[0].Values
	if s.c.Input.Features == nil {
		other, err := s.each(ctx, "saliency", map[string]any{"reduce": "l1"})
		if err != nil {
			return nil, nil, err
		}
		return a, other[0].Values, nil
	}
	const recorded = 0.5 // what the references put in a feature's place
	for i := range p.Baseline.Pixels {
		p.Baseline.Pixels[i] = recorded
	}
	other, err := s.each(ctx, "occlusion", map[string]any{"window": 1, "stride": 1})
	if err != nil {
		return nil, nil, err
	}
	return a, other[0].Values, nil
}

func compareCurves(ctx context.Context, s *subject) error {
	var block int
	if !s.c.param("block", &block) || block < 1 {
		return unsupported("no block is named")
	}
	recorded, err := s.tensor(s.c.Name + "/map")
	if err != nil {
		return err
	}
	p := s.problems[0]
	if len(p.Example.Shape) != 3 || len(recorded.data) != p.Example.Shape[1]*p.Example.Shape[2] {
		return unsupported("a map of %d values", len(recorded.data))
	}
	h, w := p.Example.Shape[1], p.Example.Shape[2]
	var blocks [][]int
	var scores []float64
	for top := 0; top+block <= h; top += block {
		for left := 0; left+block <= w; left += block {
			var units []int
			total := 0.0
			for y := top; y < top+block; y++ {
				for x := left; x < left+block; x++ {
					units = append(units, y*w+x)
					total += recorded.data[y*w+x]
				}
			}
			blocks, scores = append(blocks, units), append(scores, total)
		}
	}
	s.compare("map", [][]float64{recorded.data})
	s.compare("block_scores", [][]float64{scores})
	order := metric.Order(scores)
	numbers := make([]float64, len(order))
	for i, u := range order {
		numbers[i] = float64(u)
	}
	s.compare("order", [][]float64{numbers})
	s.compare("blurred", [][]float64{widen(explain.Blurred(p.Example))})
	run := explain.RemovePatches(p, blocks)
	for _, kind := range []string{"deletion", "insertion"} {
		for mode, ours := range map[string]string{"zeros": "baseline", "blur": "blur"} {
			values, err := run(ctx, ours, metric.CurveSets(order, 1, kind == "insertion"))
			if err != nil {
				return err
			}
			s.compare(kind+"."+mode+".curve", [][]float64{values})
			s.compare(kind+"."+mode+".auc", [][]float64{{metric.AUC(values)}})
		}
	}
	return nil
}

// compareQuality holds figures that describe a map, and a curve of single values put to the least value of the picture.
func compareQuality(ctx context.Context, s *subject) error {
	recorded, err := s.tensor(s.c.Name + "/map")
	if err != nil {
		return err
	}
	m := recorded.data
	p := s.problems[0]
	if len(m) != len(p.Example.Pixels) || len(m) == 0 {
		return unsupported("a map of %d values", len(m))
	}
	gini, entropy := metric.Sparseness(m), metric.Complexity(m)
	s.compare("map", [][]float64{m})
	s.compare("sparseness_gini", [][]float64{{gini}})
	s.compare("formula.gini", [][]float64{{gini}})
	s.compare("complexity_entropy", [][]float64{{entropy}})
	s.compare("formula.entropy", [][]float64{{entropy}})
	s.compare("effective_complexity", [][]float64{{float64(metric.EffectiveComplexity(m, 0.01))}})
	const step = 16
	black := slices.Min(p.Example.Pixels)
	pixels := slices.Clone(p.Example.Pixels)
	var batch []inference.Example
	for group := range slices.Chunk(metric.Order(m), step) {
		for _, k := range group {
			pixels[k] = black
		}
		batch = append(batch, inference.Example{Pixels: slices.Clone(pixels), Shape: p.Example.Shape})
	}
	target := p.Target
	out, err := s.model.Run(ctx, batch, inference.RunSpec{Target: &target})
	if err != nil {
		return err
	}
	curve := make([]float64, len(out))
	for i, r := range out {
		curve[i] = r.Value
	}
	s.compare("pixel_flipping", [][]float64{curve})
	s.compare("formula.pixel_flipping", [][]float64{curve})
	return nil
}
