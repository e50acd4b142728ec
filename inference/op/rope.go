package op

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Rope turns pairs of each head's values by angles that grow with the position (Su et al. 2021). Heads are Width wide; the first 2·len(Frequencies) values
// of each are turned, element i with element i+len(Frequencies).
type Rope struct {
	Width int
	Table *Angles
	Back  bool // turn back: the reverse rule
}

// Angles are the sines and cosines of positions, made in blocks when they are first asked for and shared by all layers.
type Angles struct {
	Frequencies []float64
	mu          sync.Mutex
	blocks      atomic.Pointer[[][]float32]
}

// angleBlock is the number of positions of one block.
const angleBlock = 256

// at returns the cosines and sines of a position, and the sines negated.
func (a *Angles) at(position int) (cos, sin, negated []float32) {
	n := len(a.Frequencies)
	k := position / angleBlock
	b := a.blocks.Load()
	if b == nil || len(*b) <= k {
		b = a.grow(k)
	}
	row := (*b)[k][position%angleBlock*3*n:][:3*n]
	return row[:n], row[n : 2*n], row[2*n:]
}

func (a *Angles) grow(k int) *[][]float32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list [][]float32
	if b := a.blocks.Load(); b != nil {
		list = append(list, *b...)
	}
	n := len(a.Frequencies)
	for len(list) <= k {
		block := make([]float32, angleBlock*3*n)
		for i := range angleBlock {
			row := block[i*3*n : (i+1)*3*n]
			kernel.SinCos(row[n:2*n], row[:n], len(list)*angleBlock+i, a.Frequencies)
			kernel.Scale(row[2*n:], row[n:2*n], -1)
		}
		list = append(list, block)
	}
	a.blocks.Store(&list)
	return &list
}

// rope (x (B,T,D) [, positions (B,T) int]): the position of a token is its place in the sequence, or given.
func init() {
	graph.Register(&graph.Op{
		Name: "rope",
		Shape: func(attrs any, in [][]int) ([]int, error) {
			a, s := attrs.(*Rope), in[0]
			if len(s) != 3 || a.Width < 1 || s[2]%a.Width != 0 || 2*len(a.Table.Frequencies) > a.Width {
				return nil, fmt.Errorf("operand %v, heads of %d with %d pairs to turn", s, a.Width, len(a.Table.Frequencies))
			}
			if len(in) > 1 && !equal(in[1], s[:2]) {
				return nil, fmt.Errorf("positions %v for %v", in[1], s)
			}
			return s, nil
		},
		InPlace: []int{0},
		Run:     runRope,
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			a := *node.Attrs.(*Rope)
			a.Back = !a.Back
			in := append([]graph.ID{dy}, node.In[1:]...)
			return append([]graph.ID{t.G.Add("rope", &a, "", in...)}, none(len(node.In)-1)...)
		},
		Samples: func(*rand.Rand) []graph.Sample {
			t := &Angles{Frequencies: []float64{1, 0.1}}
			return []graph.Sample{
				{Attrs: &Rope{Width: 4, Table: t}, In: [][]int{{2, 3, 8}}},
				{Attrs: &Rope{Width: 6, Table: t, Back: true}, In: [][]int{{1, 2, 6}, {1, 2}}, Ints: map[int][]int32{1: {300, 7}}},
			}
		},
	})
}

func runRope(c *graph.Call) {
	a := c.Attrs.(*Rope)
	t, d := c.Shape[1], c.Shape[2]
	per := max(1, elementUnit/d)
	tokens := c.Shape[0] * t
	kernel.Parallel(c.Threads, (tokens+per-1)/per, func(u int) {
		for i := u * per; i < min(tokens, (u+1)*per); i++ {
			position := i % t
			if len(c.In) > 1 {
				position = int(c.In[1].I[i])
			}
			cos, sin, negated := a.Table.at(position)
			if a.Back {
				sin, negated = negated, sin
			}
			for h := i * d; h < (i+1)*d; h += a.Width {
				kernel.Rotate(c.Out[h:h+a.Width], c.In[0].F[h:h+a.Width], cos, sin, negated)
			}
		}
	})
}
