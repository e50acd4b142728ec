// Package graph holds the engine's SSA graph and its compilations.
//
// A graph is built for concrete shapes, by a model family, in terms of registered ops. It is then compiled once
// per question: which nodes are read (taps), which are written (patches), and whether a scalar is to be
// differentiated. Three compilations share everything but their first steps:
//
//	infer   all fusions, nothing kept
//	trace   the same, but a fusion that would swallow a requested tap is not applied
//	vjp     Tape.Backward first adds the reverse pass as ordinary nodes, then as trace
//
// No fusion changes the arithmetic, so the three give the same bits. Weights are attributes of nodes and have no gradient.
//
// A plan runs in rounds where only a cotangent changes: the forward pass once, the reverse pass for each, the products of
// several rounds as one (Rounds). A tape told what to keep (Tape.Keep) computes everything else again where the reverse pass
// needs it.
package graph

import (
	"errors"
	"fmt"
	"slices"
)

// ErrShape reports operands that do not fit an op; it is an error of whoever builds the graph (a family given a
// checkpoint that contradicts its config).
var ErrShape = errors.New("graph: shapes do not fit")

// ErrTooLarge reports a value beyond what one run may hold; a smaller batch may fit.
var ErrTooLarge = errors.New("graph: a value is too large")

// ID names a node of one graph. Operands always have smaller ids than the nodes that use them.
type ID int

// None is the absent node: the gradient of an operand that has none.
const None ID = -1

// Node is one SSA value.
type Node struct {
	Op    *Op
	Attrs any // the op's own parameters, weights included; never changed after Add
	In    []ID
	Name  string // tap name, "" for values nobody can ask for
	Shape []int
	Int   bool // int32 values; only inputs are
	again bool // the value of another node, computed again for the reverse pass
}

// Graph is a list of nodes in topological order. It is not safe for concurrent use while it is built.
type Graph struct {
	Nodes []Node
	names map[string]ID
	err   error
}

// New returns an empty graph.
func New() *Graph { return &Graph{names: map[string]ID{}} }

// Err returns the first error met while building.
func (g *Graph) Err() error { return g.err }

// Input declares a float32 value given at run time under name.
func (g *Graph) Input(name string, shape ...int) ID { return g.input(name, false, shape) }

// IntInput declares an int32 value given at run time under name.
func (g *Graph) IntInput(name string, shape ...int) ID { return g.input(name, true, shape) }

func (g *Graph) input(name string, isInt bool, shape []int) ID {
	g.Nodes = append(g.Nodes, Node{Op: inputOp, Name: name, Shape: slices.Clone(shape), Int: isInt})
	id := ID(len(g.Nodes) - 1)
	g.Alias(name, id)
	return id
}

// Add appends a node and returns its id. A misfit is remembered in Err and yields a node of shape (0), so that
// builders need not check every step.
func (g *Graph) Add(op string, attrs any, name string, in ...ID) ID {
	o := Lookup(op)
	if o == nil {
		panic("graph: op not registered: " + op)
	}
	shapes := make([][]int, len(in))
	for i, id := range in {
		shapes[i] = g.Nodes[id].Shape
	}
	shape, err := o.Shape(attrs, shapes)
	if err != nil {
		if g.err == nil {
			g.err = fmt.Errorf("%w: %s %q: %w", ErrShape, op, name, err)
		}
		shape = []int{0}
	}
	g.Nodes = append(g.Nodes, Node{Op: o, Attrs: attrs, In: slices.Clone(in), Name: name, Shape: shape})
	id := ID(len(g.Nodes) - 1)
	if name != "" {
		g.Alias(name, id)
	}
	return id
}

// Alias gives a node one more name. A name means one node.
func (g *Graph) Alias(name string, id ID) {
	if old, ok := g.names[name]; ok && old != id && g.err == nil {
		g.err = fmt.Errorf("graph: two nodes named %q", name)
	}
	g.names[name] = id
}

// Find resolves a name or alias.
func (g *Graph) Find(name string) (ID, bool) {
	id, ok := g.names[name]
	return id, ok
}

// Names lists every name and alias, sorted.
func (g *Graph) Names() []string {
	out := make([]string, 0, len(g.names))
	for n := range g.names {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Replace turns a node into a run-time input under the given feed name: the value computed so far is written
// over. What only the old value needed is not computed any more.
func (g *Graph) Replace(id ID, feed string) {
	n := &g.Nodes[id]
	n.Op, n.Attrs, n.In, n.Name = inputOp, nil, nil, feed
}

// Shape returns a node's shape.
func (g *Graph) Shape(id ID) []int { return g.Nodes[id].Shape }

// Size is the number of elements of a shape.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// uses counts how often each node is an operand of a live node; live nodes are those that outputs need.
func (g *Graph) uses(outputs []ID) (count []int, live []bool) {
	count = make([]int, len(g.Nodes))
	live = make([]bool, len(g.Nodes))
	for _, id := range outputs {
		live[id] = true
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if !live[i] {
			continue
		}
		for _, in := range g.Nodes[i].In {
			live[in] = true
			count[in]++
		}
	}
	return count, live
}
