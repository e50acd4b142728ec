package op

import (
	"fmt"
	"math"
	"math/rand/v2"

	"vitrine/inference/graph"
)

// RelativeBias adds to the score of head h, query i and key j the entry (bucket(j-i), h) of a learned table (Raffel et al. 2020, T5): half of the buckets
// are single distances, the others grow logarithmically up to MaxDistance.
type RelativeBias struct {
	Buckets, H  int
	MaxDistance int
	TwoWay      bool // keys after the query have buckets of their own
	Data        []float32
}

// bucket of a key at a distance behind (negative) or before the query.
func (a *RelativeBias) bucket(distance int) int {
	n, first := a.Buckets, 0
	if a.TwoWay {
		n /= 2
		if distance > 0 {
			first = n
		}
		distance = max(distance, -distance)
	} else {
		distance = max(-distance, 0)
	}
	exact := n / 2
	if distance < exact {
		return first + distance
	}
	// The reference computes this in float32; only the integer part counts. math.Log differs between processors in its last place, which the
	// truncation could show at exact powers alone, where both give the integer or the one below: those are nudged up.
	f := math.Log(float64(distance)/float64(exact)) / math.Log(float64(a.MaxDistance)/float64(exact)) * float64(n-exact)
	return first + min(exact+int(f+1e-6), n-1)
}

// add adds the biases of head h for the query at a position to the scores of keys from..
func (a *RelativeBias) add(scores []float32, h, position, from int) {
	for j := range scores {
		scores[j] += a.Data[a.bucket(from+j-position)*a.H+h]
	}
}

// relative_bias (B,H,Tq,Tk), queries at the end of their keys.
func init() {
	graph.Register(&graph.Op{
		Name: "relative_bias",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			a, s := attrs.(*RelativeBias), in[0]
			if len(s) != 4 || s[1] != a.H || s[3] < s[2] || len(a.Data) != a.Buckets*a.H {
				return nil, fmt.Errorf("operand %v, biases of %d heads", s, a.H)
			}
			return s, nil
		},
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*RelativeBias)
			copy(c.Out, c.In[0].F)
			tq, tk := c.Shape[2], c.Shape[3]
			buckets := make([]int, tq+tk) // of distance k-tq-(tk-tq)
			for k := range buckets {
				buckets[k] = a.bucket(k - tk)
			}
			for r := range c.Shape[0] * a.H * tq {
				h, position := r/tq%a.H, r%tq+tk-tq
				row := c.Out[r*tk : (r+1)*tk]
				for j := range row {
					row[j] += a.Data[buckets[j-position+tk]*a.H+h]
				}
			}
		},
		VJP: func(_ *graph.Tape, _, dy graph.ID) []graph.ID { return []graph.ID{dy} },
		Samples: func(r *rand.Rand) []graph.Sample {
			return []graph.Sample{
				{Attrs: &RelativeBias{8, 2, 10, true, random(r, 16)}, In: [][]int{{1, 2, 6, 6}}},
				{Attrs: &RelativeBias{8, 1, 10, false, random(r, 8)}, In: [][]int{{2, 1, 3, 15}}},
			}
		},
	})
}
