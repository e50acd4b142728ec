package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Causal is softmax(Scale·x) of attention scores where query i of Tq sees the keys up to its own position i+Tk-Tq, of those the last Window where Window
// is not zero. What is masked contributes exactly nothing.
type Causal struct {
	Scale  float32
	Window int
}

// keys says which keys the query at a position sees.
func (a *Causal) keys(position int) kernel.Keys { return visible(position, a.Window) }

// visible are the keys that a query sees among those up to its own: all, or the last window.
func visible(position, window int) kernel.Keys {
	k := kernel.Keys{Hi: position + 1}
	if window > 0 {
		k.Lo = max(0, k.Hi-window)
	}
	return k
}

// causal_softmax (B,H,Tq,Tk). Its reverse rule is softmax's: where the result is zero, so is the gradient.
func init() {
	graph.Register(&graph.Op{
		Name: "causal_softmax",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s := in[0]
			if len(s) != 4 || s[3] < s[2] || attrs.(*Causal).Window < 0 {
				return nil, fmt.Errorf("operand %v is not scores of queries at the end of their keys", s)
			}
			return s, nil
		},
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*Causal)
			r, n := rows(c.Shape)
			tq := c.Shape[2]
			per := max(1, elementUnit/n)
			overRows(c, r, n, func(lo, hi int) {
				kernel.Parallel(c.Threads, (hi-lo+per-1)/per, func(u int) {
					for i := lo + u*per; i < min(hi, lo+(u+1)*per); i++ {
						k := a.keys(i%tq + n - tq)
						kernel.SoftmaxRange(c.Out[i*n:(i+1)*n], c.In[0].F[i*n:(i+1)*n], k.Lo, k.Hi, a.Scale)
					}
				})
			})
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("softmax_grad", &Softmax{t.G.Nodes[n].Attrs.(*Causal).Scale}, "", dy, n)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{
				{Attrs: &Causal{Scale: 0.5}, In: [][]int{{1, 2, 4, 4}}},
				{Attrs: &Causal{Scale: 1, Window: 3}, In: [][]int{{2, 1, 3, 21}}},
			}
		},
	})
}
