package op

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// countdown is a context that ends after it was asked a number of times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestSlabs: an op that is divided gives the bits of one that is not, and one whose run is cancelled leaves the rest undone.
func TestSlabs(t *testing.T) {
	work := slabWork
	defer func() { slabWork = work }()
	r := rand.New(rand.NewPCG(25, 26))
	weight := func(in, out int) *Weight { return NewWeight(random(r, in*out), in, out) }
	filter := sampleFilter(8, 4, 3)
	for i, s := range []struct {
		op    string
		attrs any
		in    [][]int
	}{
		{"linear", &Linear{W: weight(20, 30), Bias: random(r, 30)}, [][]int{{500, 20}, {500, 30}}},
		{"matmul", &MatMul{}, [][]int{{3, 40, 40}, {3, 40, 40}}},
		{"matmul", &MatMul{TransB: true, HeadsA: 4, HeadsB: 4}, [][]int{{1, 40, 80}, {1, 40, 80}}},
		{"attention", &Attention{H: 4, Scale: 0.5}, [][]int{{1, 40, 80}, {1, 40, 80}, {1, 40, 80}}},
		{"attention", &Attention{H: 2, Shared: 1, Scale: 0.5, Causal: true}, [][]int{{3, 40, 80}, {3, 40, 80}, {3, 40, 80}}},
		{"attention", &Attention{H: 4, Shared: 2, Scale: 0.5}, [][]int{{1, 60, 80}, {1, 60, 40}, {1, 60, 40}}},
		{"conv", &Conv{Filter: filter, Stride: 1, Pad: 1, Bias: random(r, 8)}, [][]int{{1, 40, 30, 4}, {1, 40, 30, 8}}},
		{"conv", &Conv{Filter: filter, Stride: 2, Pad: 1}, [][]int{{1, 41, 30, 4}}},
		{"conv", &Conv{Filter: filter, Stride: 2, Pad: 0}, [][]int{{3, 40, 30, 4}}},
		{"conv_grad", &ConvGrad{&Conv{Filter: filter, Stride: 2, Pad: 1}, []int{3, 40, 30, 4}}, [][]int{{3, 20, 15, 8}}},
		{"softmax", &Softmax{1}, [][]int{{300, 50}}},
		{"softmax_grad", &Softmax{1}, [][]int{{300, 50}, {300, 50}}},
		{"layer_norm", &LayerNorm{random(r, 50), random(r, 50), 1e-5}, [][]int{{300, 50}}},
		{"layer_norm_grad", &LayerNorm{random(r, 50), random(r, 50), 1e-5}, [][]int{{300, 50}, {300, 50}}},
		{"act", acts["gelu"], [][]int{{10 * elementUnit}}},
	} {
		t.Run(fmt.Sprintf("%s/%d", s.op, i), func(t *testing.T) {
			g := graph.New()
			feeds := map[string]graph.Value{}
			var in []graph.ID
			for j, shape := range s.in {
				name := fmt.Sprint(j)
				feeds[name] = graph.Value{F: random(r, graph.Size(shape))}
				in = append(in, g.Input(name, shape...))
			}
			y := g.Add(s.op, s.attrs, "", in...)
			p, err := graph.Compile(g, []graph.ID{y}, false)
			if err != nil {
				t.Fatal(err)
			}
			slabWork = work
			var whole []float32
			if err := p.Run(t.Context(), feeds, 1, func(v func(graph.ID) graph.Value) { whole = slices.Clone(v(y).F) }); err != nil {
				t.Fatal(err)
			}
			slabWork = map[kernel.Level]int{kernel.Current(): 50000}
			if err := p.Run(t.Context(), feeds, 2, func(v func(graph.ID) graph.Value) {
				if !slices.Equal(v(y).F, whole) {
					t.Error("other bits in parts")
				}
			}); err != nil {
				t.Fatal(err)
			}
			call := func(ctx context.Context) []float32 {
				out := make([]float32, len(whole))
				for i := range out {
					out[i] = float32(math.Inf(1))
				}
				g.Nodes[y].Op.Run(&graph.Call{Attrs: g.Nodes[y].Attrs, In: values(s.in, feeds), Out: out, Shape: g.Shape(y), Threads: 1, Ctx: ctx})
				return out
			}
			out := call(&countdown{t.Context(), 0})
			if slices.Equal(out, whole) || !math.IsInf(float64(out[len(out)-1]), 1) {
				t.Error("went on although the run was cancelled")
			}
			if !slices.Equal(call(&countdown{t.Context(), 1 << 30}), whole) {
				t.Error("stopped although the run was not cancelled")
			}
		})
	}
}

func values(shapes [][]int, feeds map[string]graph.Value) []graph.Value {
	var out []graph.Value
	for j, shape := range shapes {
		out = append(out, graph.Value{Shape: shape, F: feeds[fmt.Sprint(j)].F})
	}
	return out
}
