package nn

import (
	"vitrine/inference/graph"
	"vitrine/inference/op"
)

// Linear is a dense layer, named as in the checkpoint.
type Linear struct {
	Name string
	W    *op.Weight
	Bias []float32
}

// Add appends y = x·Wᵀ + b over the last dimension; tap is the value's name, "" for none.
func (l Linear) Add(g *graph.Graph, tap string, x graph.ID) graph.ID {
	return g.Add("linear", &op.Linear{W: l.W, Bias: l.Bias}, tap, x)
}

// MLP is down(act(up(x))), the feed-forward block of a transformer layer.
type MLP struct {
	Up, Down Linear
	Act      *op.Act
}

// Add appends the block; the activation's output is tapped as tap.
func (m MLP) Add(g *graph.Graph, tap string, x graph.ID) graph.ID {
	h := op.AddAct(g, m.Act, tap, m.Up.Add(g, "", x))
	return m.Down.Add(g, "", h)
}
