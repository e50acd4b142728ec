package inference

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestCheckpointing: a reverse pass that computes values again gives the same bits, for one target and for several, and
// takes less memory where there are layers to drop.
func TestCheckpointing(t *testing.T) {
	eachNetwork(t, func(t *testing.T, m *Model) {
		e := m.example(rand.New(rand.NewPCG(19, 20)), 40)
		tap := m.info.Taps.Embeddings
		if tap == "" {
			tap = m.info.Taps.Pixels
		}
		for _, several := range []bool{false, true} {
			spec := RunSpec{Target: m.someTarget("logit"), Wrt: []string{tap}}
			if several {
				spec.Target, spec.Targets = nil, m.others()
			}
			want := mustRun(t, m, []Example{e}, spec)[0]
			k, err := m.check(&e)
			if err != nil {
				t.Fatal(err)
			}
			r := &request{m: m, spec: spec, quantity: "logit"}
			plain, err := m.plan(r.question(k, 1, saveNothing))
			if err != nil {
				t.Fatal(err)
			}
			again, err := m.plan(r.question(k, 1, saveValues))
			if err != nil {
				t.Fatal(err)
			}
			rounds := max(1, len(spec.Targets))
			if again.estimate(rounds) >= plain.estimate(rounds) {
				if m.desc.Layers > 2 {
					t.Errorf("%d bytes computing again, %d keeping", again.estimate(rounds), plain.estimate(rounds))
				}
				continue
			}
			spec.Memory = again.estimate(rounds)
			got := mustRun(t, m, []Example{e}, spec)[0]
			if err := sameBits(got, want); err != nil {
				t.Error(err)
			}
			for k := range want.Each {
				if err := sameBits(Result{Grads: got.Each[k].Grads}, Result{Grads: want.Each[k].Grads}); err != nil {
					t.Errorf("target %d: %v", k, err)
				}
			}
		}
	})
}

// TestMemoryLimit: a batch is divided to stay below the limit, with the same bits; what cannot be divided is refused with
// the estimate and the limit, before it runs.
func TestMemoryLimit(t *testing.T) {
	m := openPretrained(t, "sentiment-minilm")
	r := rand.New(rand.NewPCG(21, 22))
	var batch []Example
	for range 9 {
		batch = append(batch, m.example(r, 60))
	}
	want := mustRun(t, m, batch, RunSpec{})
	one := &request{m: m, batch: batch[:1]}
	k, err := m.check(&batch[0])
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.plan(one.question(k, 1, saveNothing))
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range mustRun(t, m, batch, RunSpec{Memory: 2 * p.estimate(1)}) {
		if err := sameBits(got, want[i]); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
	maps := RunSpec{Taps: m.info.Taps.Attentions}
	one.spec = maps
	if p, err = m.plan(one.question(k, 1, saveNothing)); err != nil {
		t.Fatal(err)
	}
	maps.Memory = p.estimate(1) + 8*p.results(1)
	mustRun(t, m, batch, maps)
	maps.Memory--
	if _, err := m.Run(t.Context(), batch, maps); !errors.Is(err, ErrInput) {
		t.Errorf("results beyond the limit: %v", err)
	}
	one.spec = RunSpec{}
	if p, err = m.plan(one.question(k, 1, saveNothing)); err != nil {
		t.Fatal(err)
	}
	_, err = m.Run(t.Context(), batch, RunSpec{Memory: p.estimate(1) - 1})
	if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "MiB") || !strings.Contains(err.Error(), budgetEnv) {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestBudget(t *testing.T) {
	for in, want := range map[string]int64{"": 500, "7": 7, "3K": 3 << 10, "2G": 2 << 30, "17M": 17 << 20} {
		if got, err := parseBudget(in, 1000); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"K", "-1", "0", "1.5G", "2T", "99999999G", "1 G"} {
		if got, err := parseBudget(in, 1000); err == nil || got != 500 {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	if got, _ := parseBudget("", 0); got != unknownMachine {
		t.Errorf("unknown machine: %d", got)
	}
}

// TestReservations: what does not fit beside others waits for them, or for its context.
func TestReservations(t *testing.T) {
	var r reservations
	if err := r.take(t.Context(), 80, 100); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.take(ctx, 30, 100); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("took what is not there: %v", err)
	}
	got := make(chan error)
	go func() { got <- r.take(t.Context(), 30, 100) }()
	r.give(80)
	if err := <-got; err != nil || r.taken != 30 {
		t.Errorf("%v, %d taken", err, r.taken)
	}
	r.give(30)
	if err := r.take(t.Context(), 200, 100); err != nil {
		t.Errorf("alone: %v", err)
	}
}

// TestEstimate: what a run allocates for the first time is what was estimated, but for the scratch of kernels and the
// compiled plan.
func TestEstimate(t *testing.T) {
	text, picture := openPretrained(t, "sentiment-minilm"), openPretrained(t, "digits-resnet")
	r := rand.New(rand.NewPCG(29, 30))
	long := text.example(r, 301)
	large := Example{Shape: []int{1, 224, 224}, Pixels: make([]float32, 224*224)}
	for name, c := range map[string]struct {
		m    *Model
		e    Example
		spec RunSpec
		most float64 // of the estimate; a reverse convolution takes its scratch several times
	}{
		"forward":    {text, long, RunSpec{}, 1.25},
		"attentions": {text, long, RunSpec{Taps: text.info.Taps.Attentions}, 1.25},
		"gradient":   {text, long, RunSpec{Target: text.someTarget("logit"), Wrt: []string{text.info.Taps.Embeddings}}, 1.25},
		"pixels":     {picture, large, RunSpec{Target: picture.someTarget("logit"), Wrt: []string{picture.info.Taps.Pixels}}, 2},
	} {
		k, err := c.m.check(&c.e)
		if err != nil {
			t.Fatal(err)
		}
		q := &request{m: c.m, spec: c.spec}
		if c.spec.Target != nil {
			q.quantity = "logit"
		}
		p, err := c.m.plan(q.question(k, 1, saveNothing))
		if err != nil {
			t.Fatal(err)
		}
		want := p.estimate(1)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.GC() // pools keep what they hold for one collection
		runtime.ReadMemStats(&before)
		mustRun(t, c.m, []Example{c.e}, c.spec)
		runtime.ReadMemStats(&after)
		if got := int64(after.TotalAlloc - before.TotalAlloc); float64(got) > c.most*float64(want)+4<<20 || got < want/2 {
			t.Errorf("%s: estimated %d KiB, allocated %d", name, want>>10, got>>10)
		}
	}
}
