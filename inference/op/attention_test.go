package op

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"vitrine/inference/graph"
)

// TestAttentionFuses: attention is one step where nobody asks for its maps, and the same bits in one step, in several and
// without any fusion.
func TestAttentionFuses(t *testing.T) {
	const tokens, heads, d = 37, 4, 5
	for _, causal := range []bool{false, true} {
		for _, shared := range []int{1, 2} {
			t.Run(fmt.Sprintf("%t/%d", causal, shared), func(t *testing.T) {
				r := rand.New(rand.NewPCG(31, 32))
				feeds := map[string]graph.Value{}
				build := func() (g *graph.Graph, probs, out graph.ID) {
					g = graph.New()
					side := func(name string, n int) graph.ID {
						x := g.Input(name, 2, tokens, n*d)
						if feeds[name].F == nil {
							feeds[name] = graph.Value{F: random(r, 2*tokens*n*d)}
						}
						y := g.Add("split_heads", &Heads{n}, "", x)
						if n != heads {
							y = g.Add("repeat_heads", &Group{heads / n}, "", y)
						}
						return y
					}
					scores := g.Add("matmul", &MatMul{TransB: true}, "", side("q", heads), side("k", heads/shared))
					probs = g.Add("softmax", &Softmax{0.3}, "", scores)
					if causal {
						probs = g.Add("causal_softmax", &Causal{Scale: 0.3}, "", scores)
					}
					return g, probs, g.Add("merge_heads", nil, "", g.Add("matmul", &MatMul{}, "", probs, side("v", heads/shared)))
				}
				run := func(fuse, maps bool, most int) []float32 {
					g, probs, out := build()
					keep := []graph.ID{out}
					if maps {
						keep = append(keep, probs)
					}
					p, err := graph.Compile(g, keep, fuse)
					if err != nil {
						t.Fatal(err)
					}
					if p.Steps() > most {
						t.Errorf("%d steps, expected at most %d", p.Steps(), most)
					}
					var got []float32
					if err := p.Run(t.Context(), feeds, 2, func(v func(graph.ID) graph.Value) { got = slices.Clone(v(out).F) }); err != nil {
						t.Fatal(err)
					}
					return got
				}
				want := run(false, false, 9)
				copies := 0 // of keys and values for each head
				if shared > 1 {
					copies = 4
				}
				if !slices.Equal(run(true, false, 1), want) || !slices.Equal(run(true, true, 3+copies), want) {
					t.Error("fusing changes bits")
				}
			})
		}
	}
}
