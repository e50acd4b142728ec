package inference

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"vitrine/inference/weights"
)

// others are targets beside someTarget's.
func (m *Model) others() []Target {
	a := *m.someTarget("logit")
	b, c := a, a
	b.Index = append([]int{}, a.Index...)
	b.Index[len(b.Index)-1] = 0
	c.Quantity, c.Minus = "diff", b.Index
	return []Target{a, b, c, a}
}

// TestTargetsTogether: several targets give, in one run, the bits that each gives alone.
func TestTargetsTogether(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		r := rand.New(rand.NewPCG(13, 14))
		batch := []Example{m.example(r, 9), m.example(r, 6), m.example(r, 9)}
		wide := m.wide()
		targets := m.others()
		together := mustRun(t, m, batch, RunSpec{Targets: targets, Taps: wide.Taps, Wrt: wide.Wrt})
		for k, target := range targets {
			for i, alone := range mustRun(t, m, batch, RunSpec{Target: &target, Taps: wide.Taps, Wrt: wide.Wrt}) {
				each := together[i].Each
				if len(each) != len(targets) || each[k].Value != alone.Value {
					t.Fatalf("example %d, target %d: %d results, %v, expected %v", i, k, len(each), each[k].Value, alone.Value)
				}
				if err := sameBits(Result{Output: together[i].Output, Taps: together[i].Taps, Grads: each[k].Grads}, alone); err != nil {
					t.Errorf("example %d, target %d: %v", i, k, err)
				}
			}
		}
	})
}

// TestRunStartsAtATap: an example's own value written to a tap gives the run's bits from there on, and what lies below is
// not computed.
func TestRunStartsAtATap(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		r := rand.New(rand.NewPCG(15, 16))
		batch := []Example{m.example(r, 7), m.example(r, 7), m.example(r, 5)}
		taps := m.info.Taps.Hidden
		tap := taps[len(taps)/2]
		spec := RunSpec{Target: m.someTarget("logit"), Wrt: []string{tap}, Taps: []string{tap}}
		whole := mustRun(t, m, batch, spec)
		for i := range batch {
			batch[i].Patch = map[string]Tensor{tap: whole[i].Taps[tap]}
			if batch[i].IDs != nil {
				clear(batch[i].IDs) // only their number counts any more
			}
		}
		for i, got := range mustRun(t, m, batch, spec) {
			if err := sameBits(got, whole[i]); err != nil {
				t.Errorf("example %d: %v", i, err)
			}
		}
		steps := func(e Example) int {
			k, err := m.check(&e)
			if err != nil {
				t.Fatal(err)
			}
			q := &request{m: m, spec: spec, quantity: "logit"}
			p, err := m.plan(q.question(k, 1, saveNothing))
			if err != nil {
				t.Fatal(err)
			}
			return p.plan.Steps()
		}
		from := batch[0]
		batch[0].Patch = nil
		if a, b := steps(from), steps(batch[0]); a >= b {
			t.Errorf("%d steps from the tap, %d from the input", a, b)
		}
		batch[1].Patch = map[string]Tensor{tap: {Shape: []int{1}, Data: []float32{0}}}
		if _, err := m.Run(t.Context(), batch, spec); !errors.Is(err, ErrInput) {
			t.Errorf("a misfit was written: %v", err)
		}
	})
}

// TestMapsOfTheLastLayer: attention maps alone are read without computing the rest of the last layer, with the bits of the
// whole; what is written to them or differentiated with respect to them does count.
func TestMapsOfTheLastLayer(t *testing.T) {
	m := openPretrained(t, "sentiment-minilm")
	batch := []Example{m.example(rand.New(rand.NewPCG(27, 28)), 9)}
	taps := m.info.Taps
	target := m.someTarget("logit")
	whole := mustRun(t, m, batch, RunSpec{Taps: append(taps.Hidden, taps.Attentions...), Target: target})[0]
	if err := sameBits(mustRun(t, m, batch, RunSpec{Taps: taps.Attentions})[0], whole); err != nil {
		t.Error(err)
	}
	k, err := m.check(&batch[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.plan((&request{m: m, spec: RunSpec{Taps: taps.Attentions}}).question(k, 1, saveNothing))
	if err != nil {
		t.Fatal(err)
	}
	if _, whole := p.built.G.Find(taps.Hidden[len(taps.Hidden)-1]); whole {
		t.Error("the whole last layer is computed")
	}
	last := taps.Attentions[len(taps.Attentions)-1]
	zero := whole.Taps[last]
	zero.Data = make([]float32, len(zero.Data))
	written := mustRun(t, m, batch, RunSpec{Target: target, Patch: map[string]Tensor{last: zero}, Wrt: []string{last}})[0]
	if written.Value == whole.Value {
		t.Error("writing the last attention changes nothing")
	}
	nothing := true
	for _, g := range written.Grads[last].Data {
		nothing = nothing && g == 0
	}
	if nothing {
		t.Error("the last attention has no gradient")
	}
}

// TestRules: multipliers of the rescale rule explain the whole difference to the reference; the guided and the
// deconvolution rule differ from the gradient and from each other; references without their rule are refused.
func TestRules(t *testing.T) {
	m, err := Open("conformance/testdata/golden/family/resnet_bottleneck")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(17, 18))
	batch := []Example{m.example(r, 0), m.example(r, 0)}
	references := []Example{m.example(r, 0), m.example(r, 0)}
	tap := m.info.Taps.Pixels
	spec := RunSpec{Target: m.someTarget("logit"), Wrt: []string{tap}}
	base := mustRun(t, m, references, spec)
	plain := mustRun(t, m, batch, spec)
	spec.Rule, spec.References = "rescale", references
	for i, got := range mustRun(t, m, batch, spec) {
		if err := sameTensor(got.Output, plain[i].Output); err != nil {
			t.Errorf("output: %v", err)
		}
		sum, size := 0.0, 0.0
		for j, g := range got.Grads[tap].Data {
			part := float64(g) * (float64(batch[i].Pixels[j]) - float64(references[i].Pixels[j]))
			sum += part
			size += math.Abs(part)
		}
		if want := got.Value - base[i].Value; math.Abs(sum-want) > 1e-4*size {
			t.Errorf("example %d: multipliers explain %g of %g", i, sum, want)
		}
	}
	spec.References = nil
	seen := []Result{plain[0]}
	for _, rule := range []string{"guided", "deconvolution"} {
		spec.Rule = rule
		got := mustRun(t, m, batch, spec)[0]
		for _, other := range seen {
			if sameTensor(got.Grads[tap], other.Grads[tap]) == nil {
				t.Errorf("rule %s changes nothing", rule)
			}
		}
		seen = append(seen, got)
	}
	for name, s := range map[string]RunSpec{
		"unknown rule":  {Rule: "lrp"},
		"no references": {Rule: "rescale"},
		"no rule":       {References: references},
		"misfit":        {Rule: "rescale", References: []Example{{Pixels: make([]float32, 3), Shape: []int{3, 1, 1}}, references[1]}},
		"both":          {Target: spec.Target, Targets: []Target{*spec.Target}},
		"mixed":         {Targets: []Target{{Index: []int{0}}, {Index: []int{0}, Quantity: "prob"}}},
	} {
		if _, err := m.Run(t.Context(), batch, s); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBeforeTheNormalisation: the value before a batch normalisation that is folded into weights can be read, is what the
// published weights give, and changes no bit of anything else; it cannot be written or differentiated.
func TestBeforeTheNormalisation(t *testing.T) {
	const dir = "conformance/testdata/golden/family/resnet_bottleneck"
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	file, err := weights.OpenHub(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const module = "resnet.encoder.stages.1.layers.0.shortcut"
	parameter := func(name string) []float32 {
		p, ok := file.Tensor(module + ".normalization." + name)
		if !ok {
			t.Fatal("no tensor " + name)
		}
		out := make([]float32, p.Elements())
		if err := p.ReadFloat32(out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	gamma, beta, mean, variance := parameter("weight"), parameter("bias"), parameter("running_mean"), parameter("running_var")
	batch := []Example{m.example(rand.New(rand.NewPCG(33, 34)), 0)}
	spec := RunSpec{Target: m.someTarget("logit"), Wrt: m.info.Taps.Hidden[:1]}
	plain := mustRun(t, m, batch, spec)[0]
	spec.Taps = []string{module + ".convolution", module + ".normalization"}
	got := mustRun(t, m, batch, spec)[0]
	if err := sameBits(got, plain); err != nil {
		t.Error(err)
	}
	before, after := got.Taps[spec.Taps[0]], got.Taps[spec.Taps[1]]
	plane := before.Shape[1] * before.Shape[2]
	for i, v := range before.Data {
		c := i / plane
		want := (float64(v)-float64(mean[c]))/math.Sqrt(float64(variance[c])+1e-5)*float64(gamma[c]) + float64(beta[c])
		if math.Abs(want-float64(after.Data[i])) > 1e-5*(1+math.Abs(want)) {
			t.Fatalf("value %d: %g normalised is %g, the network has %g", i, v, want, after.Data[i])
		}
	}
	for name, s := range map[string]RunSpec{
		"written":        {Patch: map[string]Tensor{spec.Taps[0]: before}},
		"differentiated": {Target: spec.Target, Wrt: spec.Taps[:1]},
	} {
		if _, err := m.Run(t.Context(), batch, s); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "behind the normalisation") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.Run(t.Context(), batch, RunSpec{Target: spec.Target, Wrt: spec.Taps[1:]}); err != nil {
		t.Errorf("behind the normalisation: %v", err)
	}
}
