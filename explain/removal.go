package explain

import (
	"context"
	"slices"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// RemovePatches gives the function that a figure on pictures calls: the value of p with patches (lists of pixels) replaced by
// those of another picture. Mode "blur" takes the blurred picture, any other the problem's baseline.
func RemovePatches(p *Problem, patches [][]int) func(context.Context, string, [][]int) ([]float64, error) {
	return func(ctx context.Context, mode string, gone [][]int) ([]float64, error) {
		q := *p
		if mode == "blur" {
			q.Baseline = Baseline{Name: "blur", Pixels: Blurred(p.Example)}
		}
		out := make([]float64, 0, len(gone))
		for chunk := range slices.Chunk(gone, q.chunk()) {
			batch := make([]inference.Example, len(chunk))
			for i, set := range chunk {
				var units []int
				for _, u := range set {
					units = append(units, patches[u]...)
				}
				batch[i], _ = q.masked(mask{units, allChannels}, nil)
			}
			values, err := q.values(ctx, batch)
			if err != nil {
				return nil, err
			}
			out = append(out, values...)
		}
		return out, nil
	}
}

// scalar gives the explained scalar with units at the baseline; unit u stands for places[u].
func (p *Problem) scalar(places [][]int) func(context.Context, [][]int) ([]float64, error) {
	return func(ctx context.Context, gone [][]int) ([]float64, error) {
		embeddings, err := p.mixEmbeddings(ctx)
		if err != nil {
			return nil, err
		}
		batch := make([]inference.Example, len(gone))
		for i, set := range gone {
			var units []int
			for _, u := range set {
				units = append(units, places[u]...)
			}
			if batch[i] = p.Example; len(units) > 0 {
				batch[i], _ = p.masked(mask{units, allChannels}, embeddings)
			}
		}
		return p.values(ctx, batch)
	}
}

// cheap is the most gradients that a method may spend to be run again for the sake of a figure.
const cheap = 2

// steady says whether the method looks at the values of the differentiated input and is cheap enough to be run again on
// noisy copies of it.
func (m Method) steady(info inference.Info, tokens int, params map[string]any) bool {
	cost := m.Cost(info, tokens, params)
	return slices.Contains([]string{"gradient", "attention", "cam"}, m.Family) && cost.Gradients <= cheap && cost.Forwards <= cheap && differentiable(info) == nil
}

// again runs the method on copies of the input whose every value moved by at most metric.Radius. It is nil for methods
// that do not look at the values of the differentiated input, or cost too much.
func (j *job) again(w *window) func(context.Context, int) ([][]float64, error) {
	if w.problem.Targets != nil || !j.method.steady(j.info, len(w.in.Example.IDs), w.problem.Params) {
		return nil
	}
	return func(ctx context.Context, n int) ([][]float64, error) {
		x, err := w.problem.embedded(ctx)
		if err != nil {
			return nil, err
		}
		d := metric.NewDraw(j.r.Seed, "sensitivity noise")
		out := make([][]float64, n)
		for i := range out {
			moved := make([]float32, len(x))
			for k, v := range x {
				moved[k] = float32(float64(v) + float64((2*d.Uniform()-1)*metric.Radius))
			}
			q := *w.problem
			q.Example, q.Bare = q.at(moved), true
			a, err := Attribute(ctx, j.method.ID, &q)
			if err != nil {
				return nil, err
			}
			out[i] = a.Values
		}
		return out, nil
	}
}
