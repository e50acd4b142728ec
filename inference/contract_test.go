package inference

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"vitrine/inference/family"
	"vitrine/inference/kernel"
)

// networks are the shipped models and every family folder of the golden references.
func networks(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("conformance/testdata/golden/family/*/config.json")
	if err != nil || len(list) < 20 {
		t.Fatalf("%d golden families: %v", len(list), err)
	}
	for i, config := range list {
		list[i] = filepath.Dir(config)
	}
	return append(list, "pretrained/sentiment-minilm", "pretrained/digits-resnet")
}

func eachNetwork(t *testing.T, f func(t *testing.T, m *Model)) {
	for _, dir := range networks(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			f(t, m)
		})
	}
}

// example makes an input of n tokens, or an n-independent small picture.
func (m *Model) example(r *rand.Rand, n int) Example {
	if m.desc.Modality == "image" {
		e := Example{Shape: []int{m.desc.ImageChannels, 33, 29}}
		if m.desc.Family == "vit" { // takes one size only
			e.Shape[1], e.Shape[2] = 35, 35
		}
		e.Pixels = make([]float32, e.Shape[0]*e.Shape[1]*e.Shape[2])
		for i := range e.Pixels {
			e.Pixels[i] = float32(r.NormFloat64())
		}
		return e
	}
	e := Example{IDs: make([]int32, n), Types: make([]int32, n)}
	for i := range n {
		e.IDs[i] = int32(r.IntN(m.desc.Vocab))
		e.Types[i] = int32(r.IntN(m.desc.Types))
	}
	if m.desc.MaxDecoder > 0 {
		for range 1 + n/3 {
			e.Decoder = append(e.Decoder, int32(r.IntN(m.desc.Vocab)))
		}
	}
	return e
}

// wide asks for every tap and every gradient.
func (m *Model) wide() RunSpec {
	t := m.info.Taps
	names := slices.Concat(t.Hidden, t.Attentions, t.DecoderHidden, t.DecoderAttentions, t.CrossAttentions)
	if t.Embeddings != "" {
		names = append(names, t.Embeddings)
	} else {
		names = append(names, t.Pixels)
	}
	s := RunSpec{Taps: names, Wrt: names, Target: m.someTarget("logit")}
	return s
}

func (m *Model) someTarget(quantity string) *Target {
	t := &Target{Quantity: quantity}
	switch m.desc.Task {
	case "token-classification", "fill-mask", "text-generation", "text2text-generation", "translation":
		t.Index = []int{1, 1}
	case "question-answering":
		t.Index = []int{0, 2}
	default:
		t.Index = []int{1}
	}
	return t
}

func mustRun(t *testing.T, m *Model, batch []Example, s RunSpec) []Result {
	t.Helper()
	r, err := m.Run(context.Background(), batch, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameBits compares everything that both results hold.
func sameBits(a, b Result) error {
	if err := sameTensor(a.Output, b.Output); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	for _, pair := range [][2]map[string]Tensor{{a.Taps, b.Taps}, {a.Grads, b.Grads}} {
		for name, x := range pair[0] {
			if y, ok := pair[1][name]; ok {
				if err := sameTensor(x, y); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	}
	return nil
}

func sameTensor(a, b Tensor) error {
	if len(a.Data) != len(b.Data) {
		return fmt.Errorf("%d and %d values", len(a.Data), len(b.Data))
	}
	for i := range a.Data {
		if math.Float32bits(a.Data[i]) != math.Float32bits(b.Data[i]) {
			return fmt.Errorf("value %d is %g and %g", i, a.Data[i], b.Data[i])
		}
	}
	return nil
}

// TestCompilationsAgree: infer, trace, vjp and a graph without any fusion give the same bits, and a gradient does not
// depend on what else is asked for.
func TestCompilationsAgree(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		r := rand.New(rand.NewPCG(3, 4))
		batch := []Example{m.example(r, 9), m.example(r, 9)}
		wide := m.wide()
		infer := mustRun(t, m, batch, RunSpec{})
		trace := mustRun(t, m, batch, RunSpec{Taps: wide.Taps})
		vjp := mustRun(t, m, batch, wide)
		narrow := mustRun(t, m, batch, RunSpec{Target: wide.Target, Wrt: wide.Wrt[len(wide.Wrt)-1:]})
		m.plans.clear()
		m.unfused = true
		plain := mustRun(t, m, batch, wide)
		for i := range batch {
			for name, other := range map[string]Result{"infer": infer[i], "trace": trace[i], "lean vjp": narrow[i], "unfused": plain[i]} {
				if err := sameBits(vjp[i], other); err != nil {
					t.Errorf("vjp and %s: %v", name, err)
				}
			}
		}
	})
}

// TestBitsDoNotDependOnThreadsBatchOrLevel runs each example alone and inside random batches of unequal lengths
// at every level and on 1, 2 and 7 threads. Each level gets batches of its own.
func TestBitsDoNotDependOnThreadsBatchOrLevel(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		r := rand.New(rand.NewPCG(5, 6))
		var all []Example
		for _, n := range []int{5, 12, 5, 7, 12, 5, 14} {
			all = append(all, m.example(r, n))
		}
		spec := RunSpec{Target: m.someTarget("prob"), Wrt: m.wide().Wrt[len(m.wide().Wrt)-1:], Threads: 1}
		var alone []Result
		for _, e := range all {
			alone = append(alone, mustRun(t, m, []Example{e}, spec)...)
		}
		for _, level := range kernel.Levels() {
			restore := kernel.SetLevel(level)
			for _, spec.Threads = range []int{1, 2, 7} {
				members := make([]int, 1+r.IntN(2*len(all)))
				batch := make([]Example, len(members))
				for i := range members {
					members[i] = r.IntN(len(all))
					batch[i] = all[members[i]]
				}
				for i, got := range mustRun(t, m, batch, spec) {
					if err := sameBits(alone[members[i]], got); err != nil {
						t.Errorf("%s, %d threads, batch of %d, example %d: %v", level, spec.Threads, len(batch), i, err)
					}
				}
			}
			restore()
		}
	})
}

// TestWrittenTaps: writing a tap's own value changes nothing, and the gradient there stays the same; writing the word
// embeddings example by example too.
func TestWrittenTaps(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		e := m.example(rand.New(rand.NewPCG(7, 8)), 6)
		wide := m.wide()
		base := mustRun(t, m, []Example{e}, wide)[0]
		for _, tap := range wide.Taps {
			s := RunSpec{Target: wide.Target, Wrt: []string{tap}, Patch: map[string]Tensor{tap: base.Taps[tap]}}
			got := mustRun(t, m, []Example{e}, s)[0]
			if err := sameBits(got, base); err != nil {
				t.Errorf("%s written with its own value: %v", tap, err)
			}
		}
		if tap := m.info.Taps.Embeddings; tap != "" {
			given := Example{Embeddings: base.Taps[tap].Data, Types: e.Types, Decoder: e.Decoder}
			if err := sameBits(mustRun(t, m, []Example{given}, RunSpec{Target: wide.Target, Wrt: []string{tap}})[0], base); err != nil {
				t.Errorf("embeddings given: %v", err)
			}
		}
	})
}

// TestGradientsAgainstDifferences: the gradient of each quantity agrees with central differences of the engine itself
// along random directions, as far as float32 outputs allow.
func TestGradientsAgainstDifferences(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		r := rand.New(rand.NewPCG(9, 10))
		e := m.example(r, 6)
		tap := m.info.Taps.Embeddings
		if _, generates := m.net.(family.Generator); tap == "" || generates {
			// A ReLU network has kinks, which the test of ops covers; a random decoder curves too much at this step, and its gradients
			// are held against the reference's by the golden folders.
			return
		}
		quantities := []string{"logit", "logprob", "prob", "diff"}
		for _, q := range quantities {
			target := m.someTarget(q)
			if q == "diff" {
				target.Minus = append([]int{}, target.Index...)
				target.Minus[len(target.Minus)-1]--
			}
			s := RunSpec{Taps: []string{tap}, Target: target, Wrt: []string{tap}}
			base := mustRun(t, m, []Example{e}, s)[0]
			x, g := base.Taps[tap].Data, base.Grads[tap].Data
			v := make([]float32, len(x))
			norm, slope := 0.0, 0.0
			for i := range v {
				v[i] = float32(r.NormFloat64())
				norm += float64(v[i]) * float64(v[i])
				slope += float64(v[i]) * float64(g[i])
			}
			size := 0.0
			for _, a := range x {
				size += float64(a) * float64(a)
			}
			h := 0.01 * math.Sqrt(size/norm)
			at := func(d float64) float64 {
				y := make([]float32, len(x))
				for i := range y {
					y[i] = x[i] + float32(d)*v[i]
				}
				return mustRun(t, m, []Example{{Embeddings: y, Types: e.Types, Decoder: e.Decoder}}, RunSpec{Target: target})[0].Value
			}
			if diff := (at(h) - at(-h)) / (2 * h); math.Abs(diff-slope) > 2e-3*math.Max(math.Abs(slope), 1)+1e-5/h {
				t.Errorf("%s: gradient says %g, differences %g", q, slope, diff)
			}
		}
	})
}
