package op

import (
	"math"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Normalize divides each row by max(‖row‖₂, Eps).
type Normalize struct{ Eps float32 }

// length returns max(‖x‖₂, eps) and whether eps was taken.
func (a *Normalize) length(x []float32) (float32, bool) {
	l := float32(math.Sqrt(float64(kernel.SumSquares(x)))) // the correctly rounded float32 root
	if l < a.Eps {
		return a.Eps, true
	}
	return l, false
}

func init() {
	graph.Register(&graph.Op{
		Name:    "normalize",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			r, n := rows(c.Shape)
			for i := range r {
				x, y := c.In[0].F[i*n:(i+1)*n], c.Out[i*n:(i+1)*n]
				l, _ := c.Attrs.(*Normalize).length(x)
				for j, v := range x {
					y[j] = v / l
				}
			}
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			return []graph.ID{t.G.Add("normalize_grad", node.Attrs, "", dy, node.In[0])}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Normalize{1e-12}, In: [][]int{{3, 7}}}}
		},
	})
	// normalize_grad (dy, x): (dy - y·Σ y·dy) / l with y = x/l; only dy/l where eps was taken.
	graph.Register(&graph.Op{
		Name:    "normalize_grad",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			r, n := rows(c.Shape)
			s := scratch(n)
			defer release(s)
			for i := range r {
				dy, x, out := c.In[0].F[i*n:(i+1)*n], c.In[1].F[i*n:(i+1)*n], c.Out[i*n:(i+1)*n]
				l, floor := c.Attrs.(*Normalize).length(x)
				for j, v := range x {
					(*s)[j] = v / l
				}
				dot := float32(0)
				if !floor {
					dot = kernel.Dot(*s, dy)
				}
				kernel.AddScaled(out, dy, *s, -dot)
				for j := range out {
					out[j] /= l
				}
			}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Normalize{1e-12}, In: [][]int{{3, 7}, {3, 7}}}}
		},
	})
}
