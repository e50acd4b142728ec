package graph

import (
	"context"
	"math/rand/v2"
	"slices"
)

// Value is an operand at run time: floats, or int32 for integer inputs.
type Value struct {
	Shape []int
	F     []float32
	I     []int32
}

// Call is one execution of a node. Out does not overlap In, except for an operand that Op.InPlace allows.
type Call struct {
	Attrs   any
	In      []Value
	Out     []float32
	Shape   []int // of Out
	Threads int
	Ctx     context.Context // the run's, nil for none
}

// Cancelled reports whether the run's context has ended: an op that takes long asks now and then and returns, its result
// unfinished.
func (c *Call) Cancelled() bool { return c.Ctx != nil && c.Ctx.Err() != nil }

// VJP adds the nodes that pull the cotangent dy of a node back to its operands and returns one id per operand,
// None where there is no gradient (integers, operands nobody asked for may be computed all the same).
type VJP func(t *Tape, n ID, dy ID) []ID

// Sample is one case of the ops' conformance test: shapes of the operands, values for integer operands.
type Sample struct {
	Attrs any
	In    [][]int
	Ints  map[int][]int32
	// Away keeps every value of the operands at least this far from zero and from each other (kinks, ties).
	Away float64
}

// Op is one operation: forward, shape rule, reverse rule, samples that test all of it.
type Op struct {
	Name  string
	Shape func(attrs any, in [][]int) ([]int, error)
	Run   func(c *Call)
	// Together, where not nil, runs several independent nodes that share operand 0, with the bits of one after the other.
	Together func(calls []*Call)
	VJP      VJP
	InPlace  []int // operands whose buffer may receive the result, each sized like it
	// Kept, where not nil, is the number of bytes that the first run of a node allocates and leaves behind.
	Kept    func(attrs any) int64
	View    bool // the result is operand 0 under another shape, never computed
	Samples func(r *rand.Rand) []Sample
	// Rows says that the examples of a batch do not influence each other and that Run goes by the operands' shapes, not by
	// a batch size in the attributes: several batches may run as one longer one.
	Rows bool
}

var registry = map[string]*Op{}

// inputOp marks values given at run time.
var inputOp = &Op{Name: "input"}

// Register adds an op; each op's file calls it from init.
func Register(op *Op) {
	if op.Name == "" || op.Shape == nil || op.Samples == nil || (op.Run == nil) != op.View {
		panic("graph: incomplete op: " + op.Name)
	}
	if registry[op.Name] != nil {
		panic("graph: op registered twice: " + op.Name)
	}
	registry[op.Name] = op
}

// Lookup finds an op by name, nil if there is none.
func Lookup(name string) *Op { return registry[name] }

// Ops lists the registered ops by name.
func Ops() []*Op {
	out := make([]*Op, 0, len(registry))
	for _, o := range registry {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *Op) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}
