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
			kernel.LayerNorm(c.Threads, r, n, c.Out, c.In[0].F, a.Gamma, a.Beta, a.Eps, nil, nil)
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
			s := scratch(2*r + r*n)
			defer release(s)
			mean, rstd, y := (*s)[:r], (*s)[r:2*r], (*s)[2*r:]
			kernel.LayerNorm(c.Threads, r, n, y, c.In[1].F, a.Gamma, a.Beta, a.Eps, mean, rstd)
			kernel.LayerNormBackward(c.Threads, r, n, c.Out, c.In[0].F, c.In[1].F, a.Gamma, mean, rstd)
		},
		Samples: samples(2),
	})
}
