package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
)

// Reshape is the shape a value is read under, of the same size; nothing is computed or copied.
type Reshape struct{ Shape []int }

func init() {
	graph.Register(&graph.Op{
		Name: "reshape",
		View: true,
		Shape: func(attrs any, in [][]int) ([]int, error) {
			s := attrs.(*Reshape).Shape
			if graph.Size(s) != graph.Size(in[0]) {
				return nil, fmt.Errorf("operand %v does not fit the shape %v", in[0], s)
			}
			return s, nil
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			return []graph.ID{t.G.Add("reshape", &Reshape{t.G.Shape(t.G.Nodes[n].In[0])}, "", dy)}
		},
		Samples: func(*rand.Rand) []graph.Sample {
			return []graph.Sample{{Attrs: &Reshape{[]int{2, 12}}, In: [][]int{{2, 3, 4}}}}
		},
	})
}
