package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// RMSNorm scales rows of len(Gamma) values by their root mean square: x/sqrt(mean(x²)+eps)*gamma (Zhang and Sennrich 2019). The last dimension may hold
// several such rows, one a head.
type RMSNorm struct {
	Gamma []float32
	Eps   float64
}

func rmsNormShape(attrs any, in [][]int) ([]int, error) {
	s, n := in[0], len(attrs.(*RMSNorm).Gamma)
	if len(s) == 0 || n == 0 || s[len(s)-1]%n != 0 {
		return nil, fmt.Errorf("operand %v, the norm takes rows of %d", s, n)
	}
	return sameShape(attrs, in)
}

func init() {
	samples := func(operands int) func(*rand.Rand) []graph.Sample {
		return func(r *rand.Rand) []graph.Sample {
			one := graph.Sample{Attrs: &RMSNorm{random(r, 19), 1e-5}}
			heads := graph.Sample{Attrs: &RMSNorm{random(r, 5), 1e-6}}
			for range operands {
				one.In, heads.In = append(one.In, []int{3, 19}), append(heads.In, []int{2, 3, 10})
			}
			return []graph.Sample{one, heads}
		}
	}
	graph.Register(&graph.Op{
		Name:    "rms_norm",
		Shape:   rmsNormShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*RMSNorm)
			n := len(a.Gamma)
			kernel.RMSNorm(c.Threads, len(c.Out)/n, n, c.Out, c.In[0].F, a.Gamma, a.Eps, nil)
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			return []graph.ID{t.G.Add("rms_norm_grad", node.Attrs, "", dy, node.In[0])}
		},
		Samples: samples(1),
	})
	// rms_norm_grad (dy, x) computes the root of x anew.
	graph.Register(&graph.Op{
		Name:    "rms_norm_grad",
		Shape:   rmsNormShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*RMSNorm)
			n := len(a.Gamma)
			r := len(c.Out) / n
			s := scratch(r + r*n)
			defer release(s)
			kernel.RMSNorm(c.Threads, r, n, (*s)[r:], c.In[1].F, a.Gamma, a.Eps, (*s)[:r])
			kernel.RMSNormBackward(c.Threads, r, n, c.Out, c.In[0].F, c.In[1].F, a.Gamma, (*s)[:r])
		},
		Samples: samples(2),
	})
}
