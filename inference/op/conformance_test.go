package op

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// TestConformance holds for every registered op: the shape rule gives the size that the kernel fills; the result is
// within float32 rounding of a float64 twin; the bits depend on neither threads nor CPU level, nor on being computed
// in place; and the reverse rule is the transpose of the twin's Jacobian: ⟨Jv,u⟩ = ⟨v,Jᵀu⟩ for random v and for every
// single coordinate, Jv by central differences in float64.
func TestConformance(t *testing.T) {
	for _, op := range graph.Ops() {
		r := rand.New(rand.NewPCG(1, 2))
		for i, s := range op.Samples(r) {
			t.Run(fmt.Sprintf("%s/%d", op.Name, i), func(t *testing.T) { conform(t, op, s, r) })
		}
	}
}

// TestEveryOpHasATwin keeps a new op from passing unseen.
func TestEveryOpHasATwin(t *testing.T) {
	for _, op := range graph.Ops() {
		if twins[op.Name] == nil && !op.View {
			t.Errorf("op %s has no float64 twin", op.Name)
		}
		if len(op.Samples(rand.New(rand.NewPCG(1, 2)))) == 0 {
			t.Errorf("op %s has no samples", op.Name)
		}
	}
}

type sampleRun struct {
	op    *graph.Op
	s     graph.Sample
	feeds map[string]graph.Value
}

func conform(t *testing.T, op *graph.Op, s graph.Sample, r *rand.Rand) {
	x := &sampleRun{op, s, map[string]graph.Value{}}
	for i, shape := range s.In {
		name := fmt.Sprint("x", i)
		if ints, ok := s.Ints[i]; ok {
			x.feeds[name] = graph.Value{I: ints}
		} else {
			x.feeds[name] = graph.Value{F: apart(random(r, graph.Size(shape)), s.Away)}
		}
	}
	y, shape := x.forward(t, 1)
	if len(y) != graph.Size(shape) {
		t.Fatalf("shape %v, %d values", shape, len(y))
	}
	want := x.twin(nil, 0, shape)
	for i := range y {
		if math.Abs(float64(y[i])-want[i]) > 2e-6+1e-5*math.Abs(want[i]) {
			t.Fatalf("value %d is %g, in float64 %g", i, y[i], want[i])
		}
	}
	for _, level := range kernel.Levels() {
		restore := kernel.SetLevel(level)
		for _, threads := range []int{1, 2, 7} {
			if again, _ := x.forward(t, threads); !slices.Equal(bits(again), bits(y)) {
				t.Errorf("other bits at level %s with %d threads", level, threads)
			}
		}
		restore()
	}
	if op.VJP == nil {
		return
	}
	u := random(r, len(y))
	grads := x.reverse(t, u)
	for i := range s.In {
		if _, isInt := s.Ints[i]; isInt {
			continue
		}
		g := grads[i]
		n := graph.Size(s.In[i])
		directions := [][]float64{widen(random(r, n)), widen(random(r, n))}
		for j := range n {
			e := make([]float64, n)
			e[j] = 1
			directions = append(directions, e)
		}
		for _, v := range directions {
			left := x.directional(i, v, u, shape)
			right := dot64(v, widen(g))
			scale := math.Sqrt(dot64(v, v)) * math.Sqrt(dot64(widen(u), widen(u)))
			if math.Abs(left-right) > 2e-5*math.Max(scale, math.Abs(left)) {
				t.Fatalf("operand %d: ⟨Jv,u⟩ = %g, ⟨v,Jᵀu⟩ = %g", i, left, right)
			}
		}
	}
}

// build puts the sample's op into a graph of its own.
func (x *sampleRun) build() (*graph.Graph, []graph.ID, graph.ID) {
	g := graph.New()
	var in []graph.ID
	for i, shape := range x.s.In {
		name := fmt.Sprint("x", i)
		if _, ok := x.s.Ints[i]; ok {
			in = append(in, g.IntInput(name, shape...))
		} else {
			in = append(in, g.Input(name, shape...))
		}
	}
	return g, in, g.Add(x.op.Name, x.s.Attrs, "y", in...)
}

func (x *sampleRun) forward(t *testing.T, threads int) ([]float32, []int) {
	g, _, y := x.build()
	var out []float32
	p, err := graph.Compile(g, []graph.ID{y}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), x.feeds, threads, func(v func(graph.ID) graph.Value) { out = slices.Clone(v(y).F) }); err != nil {
		t.Fatal(err)
	}
	return out, g.Shape(y)
}

// reverse gives Jᵀu for every operand, through the graph's own reverse pass.
func (x *sampleRun) reverse(t *testing.T, u []float32) [][]float32 {
	g, in, y := x.build()
	seed := g.Input("u", g.Shape(y)...)
	tape := &graph.Tape{G: g}
	ids, err := tape.Backward(map[graph.ID]graph.ID{y: seed}, in)
	if err != nil {
		t.Fatal(err)
	}
	var keep []graph.ID
	for i, id := range ids {
		if id == graph.None {
			continue
		}
		if !slices.Equal(g.Shape(id), x.s.In[i]) {
			t.Fatalf("gradient of operand %d has shape %v, expected %v", i, g.Shape(id), x.s.In[i])
		}
		keep = append(keep, id)
	}
	out := make([][]float32, len(ids))
	p, err := graph.Compile(g, keep, true)
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]graph.Value{"u": {F: u}}
	for k, v := range x.feeds {
		feeds[k] = v
	}
	err = p.Run(context.Background(), feeds, 2, func(v func(graph.ID) graph.Value) {
		for i, id := range ids {
			if id == graph.None {
				out[i] = make([]float32, graph.Size(x.s.In[i]))
			} else {
				out[i] = slices.Clone(v(id).F)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// twin evaluates the op in float64 with operand `at` moved by d.
func (x *sampleRun) twin(d []float64, at int, shape []int) []float64 {
	in := make([]tensor64, len(x.s.In))
	for i := range in {
		v := x.feeds[fmt.Sprint("x", i)]
		data := widen(v.F)
		for _, id := range v.I {
			data = append(data, float64(id))
		}
		if d != nil && i == at {
			for j := range data {
				data[j] += d[j]
			}
		}
		in[i] = tensor64{x.s.In[i], data}
	}
	return twins[x.op.Name](x.s.Attrs, in, shape)
}

// directional is ⟨Jv,u⟩ by central differences; operands without a gradient (pick's weights) give what their rule says.
func (x *sampleRun) directional(at int, v []float64, u []float32, shape []int) float64 {
	if x.op.Name == "pick" && at == 2 {
		return 0
	}
	const h = 1e-4
	move := func(s float64) []float64 {
		d := make([]float64, len(v))
		for i := range v {
			d[i] = s * v[i]
		}
		return x.twin(d, at, shape)
	}
	plus, minus := move(h), move(-h)
	sum := 0.0
	for i := range plus {
		sum += (plus[i] - minus[i]) / (2 * h) * float64(u[i])
	}
	return sum
}

func bits(x []float32) []uint32 {
	out := make([]uint32, len(x))
	for i, v := range x {
		out[i] = math.Float32bits(v)
	}
	return out
}

// apart moves values away from zero and from each other, for ops with kinks and ties.
func apart(x []float32, away float64) []float32 {
	if away == 0 {
		return x
	}
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if x[a] < x[b] {
			return -1
		}
		return 1
	})
	for rank, i := range order {
		x[i] = float32((float64(rank-len(x)/2) + 0.5) * away)
	}
	return x
}
