package graph_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
	"vitrine/inference/op"
)

// net builds a small network: x -> linear -> gelu -> linear -> + x -> softmax.
func net(b int) (g *graph.Graph, x, h, s, y graph.ID) {
	r := rand.New(rand.NewPCG(1, 2))
	weight := func(in, out int) *op.Weight {
		w := make([]float32, in*out)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		return op.NewWeight(w, in, out)
	}
	g = graph.New()
	x = g.Input("x", b, 6)
	act, _ := op.FindAct("gelu")
	h = op.AddAct(g, act, "hidden", g.Add("linear", &op.Linear{W: weight(6, 11)}, "", x))
	s = g.Add("add", nil, "sum", g.Add("linear", &op.Linear{W: weight(11, 6)}, "", h), x)
	y = g.Add("softmax", &op.Softmax{Scale: 1}, "y", s)
	return g, x, h, s, y
}

func run(t *testing.T, p *graph.Plan, feeds map[string]graph.Value, ids ...graph.ID) [][]float32 {
	t.Helper()
	var out [][]float32
	err := p.Run(context.Background(), feeds, 2, func(v func(graph.ID) graph.Value) {
		for _, id := range ids {
			out = append(out, slices.Clone(v(id).F))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func values(n int) []float32 {
	r := rand.New(rand.NewPCG(3, 4))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

func compile(t *testing.T, g *graph.Graph, fuse bool, ids ...graph.ID) *graph.Plan {
	t.Helper()
	p, err := graph.Compile(g, ids, fuse)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFusionsKeepTapsAndBits: fused plans are shorter and equal; a tap stops the fusion that would swallow it.
func TestFusionsKeepTapsAndBits(t *testing.T) {
	feeds := map[string]graph.Value{"x": {F: values(18)}}
	g, _, _, _, y := net(3)
	plain := compile(t, g, false, y)
	want := run(t, plain, feeds, y)[0]
	g, _, _, _, y = net(3)
	fused := compile(t, g, true, y)
	if fused.Steps() >= plain.Steps() {
		t.Errorf("%d steps fused, %d plain", fused.Steps(), plain.Steps())
	}
	if got := run(t, fused, feeds, y)[0]; !slices.Equal(got, want) {
		t.Errorf("fused %v, plain %v", got, want)
	}
	g, _, h, s, y := net(3)
	both := compile(t, g, true, y, h, s)
	got := run(t, both, feeds, y, h, s)
	if !slices.Equal(got[0], want) || len(got[1]) != 33 || len(got[2]) != 18 {
		t.Errorf("with taps %v", got)
	}
}

// TestPlanReusesMemory: a chain needs the arena of its two largest neighbours, not of all values, and runs side by side
// do not disturb each other.
func TestPlanReusesMemory(t *testing.T) {
	g := graph.New()
	x := g.Input("x", 4, 1024)
	y := x
	norm := &op.Normalize{Eps: 1e-12}
	for range 50 {
		y = g.Add("normalize", norm, "", y)
	}
	p := compile(t, g, true, y)
	if p.Bytes() > 4*4*1024*2 {
		t.Errorf("a chain of 50 takes %d bytes", p.Bytes())
	}
	feeds := map[string]graph.Value{"x": {F: values(4096)}}
	want := run(t, p, feeds, y)[0]
	if !slices.Equal(feeds["x"].F, values(4096)) {
		t.Error("the input was written")
	}
	done := make(chan []float32)
	for range 8 {
		go func() {
			var out []float32
			_ = p.Run(context.Background(), feeds, 1, func(v func(graph.ID) graph.Value) { out = slices.Clone(v(y).F) })
			done <- out
		}()
	}
	for range 8 {
		if got := <-done; !slices.Equal(got, want) {
			t.Error("concurrent runs differ")
		}
	}
}

// TestRandomGraphs: on random graphs the planned, in-place arena gives what a plan without any reuse gives.
func TestRandomGraphs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	acts := []string{"gelu", "tanh", "relu", "silu"}
	w := op.NewWeight(values(25), 5, 5)
	for trial := range 200 {
		g := graph.New()
		ids := []graph.ID{g.Input("x", 2, 5)}
		for range 3 + r.IntN(25) {
			a, b := ids[r.IntN(len(ids))], ids[r.IntN(len(ids))]
			switch r.IntN(3) {
			case 0:
				ids = append(ids, g.Add("add", nil, "", a, b))
			case 1:
				ids = append(ids, g.Add("linear", &op.Linear{W: w}, "", a))
			default:
				act, _ := op.FindAct(acts[r.IntN(len(acts))])
				ids = append(ids, op.AddAct(g, act, "", a))
			}
		}
		last := ids[len(ids)-1]
		feeds := map[string]graph.Value{"x": {F: values(10)}}
		all := run(t, compile(t, g, false, ids...), feeds, ids...) // every value kept: nothing is reused
		got := run(t, compile(t, g, true, last), feeds, last)[0]
		if !slices.Equal(got, all[len(all)-1]) && !hasNaN(got) {
			t.Fatalf("trial %d: %v, expected %v", trial, got, all[len(all)-1])
		}
	}
}

func hasNaN(x []float32) bool {
	return slices.ContainsFunc(x, func(v float32) bool { return math.IsNaN(float64(v)) })
}

// TestBackwardFromAnyNodeToAnyNode: cotangents on two nodes, gradients at an inner node and at the input; what the seeds
// do not reach has none; a rule can be replaced.
func TestBackwardFromAnyNodeToAnyNode(t *testing.T) {
	g, x, h, s, y := net(1)
	aside := op.AddAct(g, mustAct(t, "tanh"), "aside", x)
	cy, ch := g.Input("cy", 1, 6), g.Input("ch", 1, 11)
	tape := &graph.Tape{G: g}
	grads, err := tape.Backward(map[graph.ID]graph.ID{y: cy, h: ch}, []graph.ID{x, h, s, aside})
	if err != nil {
		t.Fatal(err)
	}
	if grads[3] != graph.None {
		t.Error("a value that the seeds do not depend on has a gradient")
	}
	feeds := map[string]graph.Value{"x": {F: values(6)}, "cy": {F: values(6)}, "ch": {F: values(11)}}
	p := compile(t, g, true, grads[0], grads[1])
	got := run(t, p, feeds, grads[0])[0]
	// Central differences of ⟨cy,y⟩ + ⟨ch,h⟩.
	f := func(at int, d float32) float64 {
		v := slices.Clone(values(6))
		v[at] += d
		g, _, h, _, y := net(1)
		r := run(t, compile(t, g, true, y, h), map[string]graph.Value{"x": {F: v}}, y, h)
		sum := 0.0
		for i, c := range values(6) {
			sum += float64(c) * float64(r[0][i])
		}
		for i, c := range values(11) {
			sum += float64(c) * float64(r[1][i])
		}
		return sum
	}
	for i := range got {
		if want := (f(i, 1e-2) - f(i, -1e-2)) / 2e-2; math.Abs(want-float64(got[i])) > 5e-3*(1+math.Abs(want)) {
			t.Errorf("gradient %d is %g, differences give %g", i, got[i], want)
		}
	}
	g, x, _, _, y = net(1)
	cy = g.Input("cy", 1, 6)
	calls := 0
	tape = &graph.Tape{G: g, Rules: map[string]graph.VJP{"act": func(_ *graph.Tape, _, dy graph.ID) []graph.ID { calls++; return []graph.ID{dy} }}}
	if _, err := tape.Backward(map[graph.ID]graph.ID{y: cy}, []graph.ID{x}); err != nil || calls != 1 {
		t.Errorf("replaced rule called %d times, %v", calls, err)
	}
}

func mustAct(t *testing.T, name string) *op.Act {
	t.Helper()
	a, err := op.FindAct(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestErrors(t *testing.T) {
	g := graph.New()
	a, b := g.Input("a", 2, 3), g.Input("b", 2, 4)
	c := g.Add("add", nil, "c", a, b)
	if !errors.Is(g.Err(), graph.ErrShape) {
		t.Errorf("misfit: %v", g.Err())
	}
	if _, err := graph.Compile(g, []graph.ID{c}, true); !errors.Is(err, graph.ErrShape) {
		t.Errorf("compiled a misfit: %v", err)
	}
	g, _, _, _, y := net(1)
	p := compile(t, g, true, y)
	nothing := func(func(graph.ID) graph.Value) {}
	if err := p.Run(context.Background(), nil, 1, nothing); err == nil {
		t.Error("ran without its input")
	}
	if err := p.Run(context.Background(), map[string]graph.Value{"x": {F: make([]float32, 5)}}, 1, nothing); err == nil {
		t.Error("ran with a short input")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Run(ctx, map[string]graph.Value{"x": {F: make([]float32, 6)}}, 1, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	g.Alias("y", y)
	g.Alias("y", y-1)
	if g.Err() == nil {
		t.Error("one name for two nodes")
	}
}

// TestPanicsNameTheNode: a kernel whose operands do not fit panics; the run ends with an error that says where, and the plan stays usable.
func TestPanicsNameTheNode(t *testing.T) {
	fail := true
	graph.Register(&graph.Op{Name: "test_misfit",
		Shape:   func(_ any, in [][]int) ([]int, error) { return in[0], nil },
		Samples: func(*rand.Rand) []graph.Sample { return nil },
		Run: func(c *graph.Call) {
			if fail {
				kernel.Add(c.Out, c.In[0].F, nil)
			}
			kernel.Parallel(c.Threads, 3, func(int) {})
		}})
	g := graph.New()
	y := g.Add("test_misfit", nil, "encoder.layer.3.output", g.Input("x", 4))
	p := compile(t, g, true, y)
	feeds := map[string]graph.Value{"x": {F: make([]float32, 4)}}
	err := p.Run(context.Background(), feeds, 2, func(func(graph.ID) graph.Value) { t.Error("the result was read") })
	if err == nil || !strings.Contains(err.Error(), `"encoder.layer.3.output" (test_misfit): kernel: slices of different length`) {
		t.Error(err)
	}
	fail = false
	if err := p.Run(context.Background(), feeds, 2, func(func(graph.ID) graph.Value) {}); err != nil {
		t.Error(err)
	}
}

// TestReplace: a written value cuts off what computed it.
func TestReplace(t *testing.T) {
	g, _, h, _, y := net(1)
	g.Replace(h, "given")
	p := compile(t, g, true, y)
	got := run(t, p, map[string]graph.Value{"x": {F: values(6)}, "given": {F: make([]float32, 11)}}, y)[0]
	g2 := graph.New()
	want := g2.Add("softmax", &op.Softmax{Scale: 1}, "", g2.Input("x", 1, 6))
	if w := run(t, compile(t, g2, true, want), map[string]graph.Value{"x": {F: values(6)}}, want)[0]; !slices.Equal(got, w) {
		t.Errorf("%v, expected %v", got, w)
	}
}

// TestJoin: products of one operand are one step, also when others stand between them, and have the bits of three; what
// needs another of them waits for it.
func TestJoin(t *testing.T) {
	build := func() (*graph.Graph, []graph.ID) {
		g := graph.New()
		x := g.Input("x", 4, 5)
		linear := func(seed int, in ...graph.ID) graph.ID {
			return g.Add("linear", &op.Linear{W: op.NewWeight(values(25 + 5*seed)[5*seed:], 5, 5)}, "", in...)
		}
		a := linear(0, x)
		s := g.Add("softmax", &op.Softmax{Scale: 1}, "", a)
		b := linear(1, x)
		return g, []graph.ID{a, s, b, linear(2, x), linear(3, x, b)}
	}
	g, ids := build()
	plain := compile(t, g, false, ids...)
	if plain.Steps() != 3 {
		t.Errorf("%d steps", plain.Steps())
	}
	feeds := map[string]graph.Value{"x": {F: values(20)}}
	together := run(t, plain, feeds, ids...)
	for i, id := range ids {
		if got := run(t, compile(t, g, false, id), feeds, id)[0]; !slices.Equal(got, together[i]) {
			t.Errorf("value %d is %v alone, %v together", i, got, together[i])
		}
	}
}

// TestRounds: rounds that run a few at a time give the bits of single runs, whatever the width, for values that vary, that
// do not and that are computed again.
func TestRounds(t *testing.T) {
	const rounds = 7
	seed := func(k int) graph.Value { return graph.Value{F: values(18 + 18*rounds)[18*k : 18*k+18]} }
	build := func(again bool, width int) (*graph.Plan, []graph.ID) {
		g, x, h, s, y := net(3)
		tape := &graph.Tape{G: g}
		if again {
			tape.Keep = []graph.ID{s}
		}
		grads, err := tape.Backward(map[graph.ID]graph.ID{y: g.Input("seed", 3, 6)}, []graph.ID{x, h})
		if err != nil {
			t.Fatal(err)
		}
		ids := append(grads, y, g.Add("add", nil, "", grads[0], x))
		p, err := graph.CompileRounds(g, ids, true, graph.Rounds{Varying: []string{"seed"}, Width: width})
		if err != nil {
			t.Fatal(err)
		}
		return p, ids
	}
	feeds := map[string]graph.Value{"x": {F: values(18)}}
	each := make([]map[string]graph.Value, rounds)
	var want [][][]float32
	for k := range each {
		each[k] = map[string]graph.Value{"seed": seed(k)}
		p, ids := build(false, 0)
		want = append(want, run(t, p, map[string]graph.Value{"x": feeds["x"], "seed": seed(k)}, ids...))
	}
	for _, again := range []bool{false, true} {
		for width := 1; width <= rounds+1; width++ {
			p, ids := build(again, width)
			next := 0
			if err := p.RunEach(t.Context(), feeds, each, 2, func(k int, value func(graph.ID) graph.Value) {
				for i, id := range ids {
					if !slices.Equal(value(id).F, want[k][i]) {
						t.Errorf("again %t, width %d, round %d: value %d differs", again, width, k, i)
					}
				}
				if k != next {
					t.Errorf("round %d came when %d was due", k, next)
				}
				next++
			}); err != nil || next != rounds {
				t.Errorf("%d rounds, %v", next, err)
			}
		}
	}
}
