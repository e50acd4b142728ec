package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// LayerNorm normalises rows of D values: (x-mean)/sqrt(var+eps)*gamma + beta (Ba et al. 2016).
type LayerNorm struct {
	Gamma, Beta []float32
	Eps         float32
}

func layerNormShape(attrs any, in [][]int) ([]int, error) {
	s := in[0]
	if len(s) == 0 || s[len(s)-1] != len(attrs.(*LayerNorm).Gamma) {
		return nil, fmt.Errorf("operand %v, the norm takes rows of %d", s, len(attrs.(*LayerNorm).Gamma))
	}
	return sameShape(attrs, in)
}

func init() {
	samples := func(operands int) func(*rand.Rand) []graph.Sample {
		return func(r *rand.Rand) []graph.Sample {
			s := graph.Sample{Attrs: &LayerNorm{random(r, 19), random(r, 19), 1e-5}}
			for range operands {
				s.In = append(s.In, []int{3, 19})
			}
			return []graph.Sample{s}
		}
	}
	graph.Register(&graph.Op{
		Name:    "layer_norm",
		Shape:   layerNormShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*LayerNorm)
			r, n := rows(c.Shape)
			overRows(c, r, n, func(lo, hi int) {
				kernel.LayerNorm(c.Threads, hi-lo, n, c.Out[lo*n:], c.In[0].F[lo*n:], a.Gamma, a.Beta, a.Eps, nil, nil)
			})
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			return []graph.ID{t.G.Add("layer_norm_grad", node.Attrs, "", dy, node.In[0])}
		},
		Samples: samples(1),
	})
	// layer_norm_grad (dy, x) computes the statistics of x anew: cheaper than keeping them.
	graph.Register(&graph.Op{
		Name:    "layer_norm_grad",
		Shape:   layerNormShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*LayerNorm)
			r, n := rows(c.Shape)
			per := max(1, elementUnit/n)
			overRows(c, r, n, func(first, last int) {
				kernel.Parallel(c.Threads, (last-first+per-1)/per, func(u int) {
					lo := first + u*per
					k := min(per, last-lo)
					s := scratch(k*2 + k*n)
					defer release(s)
					mean, rstd, y := (*s)[:k], (*s)[k:2*k], (*s)[2*k:]
					dy, x := c.In[0].F[lo*n:(lo+k)*n], c.In[1].F[lo*n:(lo+k)*n]
					kernel.LayerNorm(1, k, n, y, x, a.Gamma, a.Beta, a.Eps, mean, rstd)
					kernel.LayerNormBackward(1, k, n, c.Out[lo*n:], dy, x, a.Gamma, mean, rstd)
				})
			})
		},
		Samples: samples(2),
	})
}
