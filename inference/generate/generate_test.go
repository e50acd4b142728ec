package generate

import (
	"context"
	"errors"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/inference/family"
	"vitrine/inference/kernel"
	"vitrine/inference/weights"
)

const golden = "../conformance/testdata/golden/family/"

// network loads a golden checkpoint; replace rewrites its config (old, new, ...).
func network(t testing.TB, name string, replace ...string) family.Generator {
	t.Helper()
	fsys := os.DirFS(golden + name)
	config, err := os.ReadFile(golden + name + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	w, err := weights.OpenHub(fsys)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	n, err := family.Load(family.Source{Config: []byte(strings.NewReplacer(replace...).Replace(string(config))), FS: fsys, Weights: w})
	if err != nil {
		t.Fatal(err)
	}
	return n.(family.Generator)
}

// long is a rotary model whose positions are enough for several pages.
func long(t testing.TB) family.Generator {
	return network(t, "llama", `"max_position_embeddings": 64`, `"max_position_embeddings": 512`)
}

func ids(n, seed int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32((i*i*7 + seed*31 + i) % 200)
	}
	return out
}

type request struct {
	p Prompt
	o Options
}

// requests are of many kinds and lengths; some share a prefix of more than a page.
func requests() []request {
	shared := ids(140, 1)
	return []request{
		{Prompt{IDs: ids(5, 2)}, Options{MaxNew: 20}},
		{Prompt{IDs: shared}, Options{MaxNew: 6}},
		{Prompt{IDs: append(slices.Clone(shared), 9, 8, 7)}, Options{MaxNew: 9, Temperature: 0.9, TopP: 0.9, Seed: 4, Alternatives: 3}},
		{Prompt{IDs: ids(63, 3)}, Options{MaxNew: 8, Beams: 3, Return: 3, Penalty: 0.7}},
		{Prompt{IDs: ids(64, 4)}, Options{MaxNew: 5, Repetition: 1.2, NoRepeat: 2}},
		{Prompt{IDs: ids(200, 5)}, Options{MaxNew: 12, Temperature: 1.3, TopK: 40, Frequency: 0.4, Presence: 0.2, Seed: 4}},
	}
}

func mustGenerate(t *testing.T, e *Engine, r request) []Sequence {
	out, err := e.Generate(context.Background(), r.p, r.o, nil)
	if err != nil {
		t.Error(err)
	}
	return out
}

// TestBitsDependOnTheRequestAlone: ids, log-probabilities and scores are the same alone, in company, with and without what earlier requests left in the cache, for
// any number of threads and at every processor level.
func TestBitsDependOnTheRequestAlone(t *testing.T) {
	net := long(t)
	var alone [][]Sequence
	for _, r := range requests() {
		r.o.Threads = 1
		alone = append(alone, mustGenerate(t, New(net, 1<<28), r))
	}
	for _, level := range kernel.Levels() {
		restore := kernel.SetLevel(level)
		e := New(net, 1<<28)
		for round := range 2 { // the second finds the prompts' pages
			var wg sync.WaitGroup
			for i, r := range requests() {
				r.o.Threads = 1 + i%3
				wg.Go(func() {
					if got := mustGenerate(t, e, r); !reflect.DeepEqual(got, alone[i]) {
						t.Errorf("%s, round %d, request %d: %v, alone %v", level, round, i, got, alone[i])
					}
				})
			}
			wg.Wait()
		}
		restore()
	}
}

// TestEncoderDecoderShares: the same for a model with an encoder.
func TestEncoderDecoderShares(t *testing.T) {
	net := network(t, "bart")
	e := New(net, 1<<27)
	var list []request
	for i := range 6 {
		list = append(list, request{Prompt{Source: ids(7+5*i, i)}, Options{MaxNew: 10, Beams: 1 + i%3, EOS: []int32{2}}})
	}
	var wg sync.WaitGroup
	for _, r := range list {
		want := mustGenerate(t, New(net, 1<<27), r)
		wg.Go(func() {
			if got := mustGenerate(t, e, r); !reflect.DeepEqual(got, want) {
				t.Errorf("source of %d: %v, alone %v", len(r.p.Source), got, want)
			}
		})
	}
	wg.Wait()
}

// TestPrefixesAreShared: the second request with a long prefix computes only what follows it.
func TestPrefixesAreShared(t *testing.T) {
	e := New(long(t), 1<<28)
	mustGenerate(t, e, request{Prompt{IDs: ids(130, 1)}, Options{MaxNew: 2}})
	s := newSequence(append(ids(130, 1), 3, 4), e.cache.Layers)
	e.known.find(s, prefixKeys(nil, s.ids))
	if s.cached != 128 {
		t.Errorf("%d positions known, 128 were computed in full pages", s.cached)
	}
	other := newSequence(ids(130, 2), e.cache.Layers)
	e.known.find(other, prefixKeys(nil, other.ids))
	fromSource := newSequence(ids(130, 1), e.cache.Layers)
	e.known.find(fromSource, prefixKeys([]int32{1}, fromSource.ids))
	if other.cached+fromSource.cached != 0 {
		t.Error("pages of another text or source were taken")
	}
	e.known.limit = 1
	e.known.keep(newSequence(nil, 1), nil)
	if len(e.known.byKey) != 1 {
		t.Errorf("%d blocks kept, the limit is 1", len(e.known.byKey))
	}
}

// TestDrawsAreFrozen: a seed means these ids, on every machine.
func TestDrawsAreFrozen(t *testing.T) {
	e := New(network(t, "gpt2"), 1<<27)
	got := mustGenerate(t, e, request{Prompt{IDs: []int32{87, 91, 89}}, Options{MaxNew: 12, Temperature: 1.5, TopP: 0.95, Seed: 7}})
	want := []int32{90, 1, 126, 59, 171, 171, 60, 82, 160, 60, 144, 33}
	if !slices.Equal(got[0].IDs(), want) {
		t.Errorf("seed 7 draws %v, it used to draw %v", got[0].IDs(), want)
	}
	if again := mustGenerate(t, e, request{Prompt{IDs: []int32{87, 91, 89}}, Options{MaxNew: 12, Temperature: 1.5, TopP: 0.95, Seed: 8}}); slices.Equal(again[0].IDs(), want) {
		t.Error("another seed draws the same")
	}
}

// TestCancel: a request whose context ends returns within 100 ms with what it has; others go on.
func TestCancel(t *testing.T) {
	e := New(long(t), 1<<28)
	ctx, cancel := context.WithCancel(context.Background())
	var ended time.Time
	n := 0
	out, err := e.Generate(ctx, Prompt{IDs: ids(10, 1)}, Options{}, func(Token) error {
		if n++; n == 5 {
			ended = time.Now()
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || len(out) != 1 || len(out[0].Tokens) != 5 || out[0].End != EndCut {
		t.Errorf("%v, %v", out, err)
	}
	if d := time.Since(ended); d > 100*time.Millisecond {
		t.Errorf("it took %v to stop", d)
	}
	if e.memory.taken != 0 || e.active != 0 {
		t.Errorf("%d bytes and %d requests are left", e.memory.taken, e.active)
	}
	stop := errors.New("enough")
	out, err = e.Generate(context.Background(), Prompt{IDs: ids(10, 1)}, Options{}, func(Token) error { return stop })
	if err != nil || out[0].End != EndCut || len(out[0].Tokens) != 1 {
		t.Errorf("a receiver that wants no more: %v, %v", out, err)
	}
}

// TestMemory: a request that needs more than there is is refused; one that needs what others hold waits.
func TestMemory(t *testing.T) {
	e := New(long(t), 1<<20)
	if _, err := e.Generate(context.Background(), Prompt{IDs: ids(400, 1)}, Options{MaxNew: 100, Beams: 60}, nil); !errors.Is(err, ErrMemory) {
		t.Errorf("too much: %v", err)
	}
	if err := e.memory.take(context.Background(), e.memory.limit); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Generate(ctx, Prompt{IDs: ids(5, 1)}, Options{MaxNew: 2}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting: %v", err)
	}
	time.AfterFunc(10*time.Millisecond, func() { e.memory.give(e.memory.limit) })
	if _, err := e.Generate(context.Background(), Prompt{IDs: ids(5, 1)}, Options{MaxNew: 2}, nil); err != nil {
		t.Errorf("after waiting: %v", err)
	}
}

// TestScoreInChunks: a text of several chunks scores as it does after its prompt's pages are known, and as generation reports.
func TestScoreInChunks(t *testing.T) {
	e := New(long(t), 1<<28)
	ctx := context.Background()
	text := ids(300, 1)
	whole, err := e.Score(ctx, Prompt{IDs: text}, nil, 2, 1)
	if err != nil || len(whole) != 299 {
		t.Fatalf("%d scores, %v", len(whole), err)
	}
	mustGenerate(t, e, request{Prompt{IDs: text}, Options{MaxNew: 1}})
	for _, from := range []int{1, 100, 299} {
		part, err := e.Score(ctx, Prompt{IDs: text[:from]}, text[from:], 2, 1)
		if err != nil || !reflect.DeepEqual(part, whole[from-1:]) {
			t.Errorf("from %d: other scores, %v", from, err)
		}
	}
	written := mustGenerate(t, e, request{Prompt{IDs: text}, Options{MaxNew: 7, Alternatives: 2}})[0]
	again, err := e.Score(ctx, Prompt{IDs: text}, written.IDs(), 2, 1)
	if err != nil || !reflect.DeepEqual(again, written.Tokens) {
		t.Errorf("generation reports %v, scoring %v, %v", written.Tokens, again, err)
	}
	if a := written.Tokens[0].Alternatives; len(a) != 2 || a[0].ID != written.Tokens[0].ID || a[0].LogProb < a[1].LogProb {
		t.Errorf("alternatives of a greedy id: %+v", a)
	}
}

// TestRules: each rule on a row that shows it.
func TestRules(t *testing.T) {
	inf := negInf
	for name, c := range map[string]struct {
		o       Options
		all     []int32
		written int
		want    []float32
	}{
		"nothing":     {Options{}, []int32{0, 1}, 1, []float32{1, -2, 3, 4}},
		"repetition":  {Options{Repetition: 2}, []int32{0, 1, 1}, 0, []float32{0.5, -4, 3, 4}},
		"frequency":   {Options{Frequency: 0.5, Presence: 1}, []int32{3, 0, 2, 2}, 3, []float32{-0.5, -2, 1, 4}},
		"no repeat 1": {Options{NoRepeat: 1}, []int32{0, 2}, 1, []float32{inf, -2, inf, 4}},
		"no repeat 2": {Options{NoRepeat: 2}, []int32{0, 3, 1, 0}, 1, []float32{1, -2, 3, inf}},
		"too short":   {Options{NoRepeat: 4}, []int32{0, 3}, 1, []float32{1, -2, 3, 4}},
		"bad words":   {Options{BadWords: [][]int32{{2}, {1, 3}, {0, 1}}}, []int32{1}, 0, []float32{1, -2, inf, inf}},
		"min":         {Options{MinNew: 2, EOS: []int32{1}}, []int32{0, 0}, 1, []float32{1, inf, 3, 4}},
		"min reached": {Options{MinNew: 1, EOS: []int32{1}}, []int32{0, 0}, 1, []float32{1, -2, 3, 4}},
		"first":       {Options{ForcedFirst: []int32{1}}, []int32{0}, 0, []float32{inf, 0, inf, inf}},
		"last":        {Options{ForcedLast: []int32{1}, MaxNew: 3}, []int32{0}, 2, []float32{inf, 0, inf, inf}},
	} {
		x := []float32{1, -2, 3, 4}
		c.o.Rules(x, c.all, c.written)
		if !slices.Equal(x, c.want) {
			t.Errorf("%s: %v, expected %v", name, x, c.want)
		}
	}
}

// TestWarp: removal on a row with ties.
func TestWarp(t *testing.T) {
	l := func(p float64) float32 { return float32(math.Log(p)) }
	row := []float32{l(0.1), l(0.4), l(0.3), l(0.1), l(0.1)}
	for name, c := range map[string]struct {
		o    Options
		kept []int
	}{
		"none":    {Options{}, []int{0, 1, 2, 3, 4}},
		"k":       {Options{TopK: 2}, []int{1, 2}},
		"k, ties": {Options{TopK: 3}, []int{0, 1, 2, 3, 4}},
		"p":       {Options{TopP: 0.6}, []int{1, 2}},
		"p, ties": {Options{TopP: 0.75}, []int{1, 2, 4}},
		"p tiny":  {Options{TopP: 1e-9}, []int{1}},
		"min p":   {Options{MinP: 0.5}, []int{1, 2}},
		"hot":     {Options{Temperature: 2, TopK: 1}, []int{1}},
	} {
		x := slices.Clone(row)
		c.o.Warp(x)
		var kept []int
		for i, v := range x {
			if v != negInf {
				kept = append(kept, i)
			}
		}
		if !slices.Equal(kept, c.kept) {
			t.Errorf("%s keeps %v, expected %v", name, kept, c.kept)
		}
	}
}

// TestNothingLeft: rules that remove every id are an error, not an id.
func TestNothingLeft(t *testing.T) {
	e := New(network(t, "gpt2"), 1<<27)
	none := func(_ []int32, x []float32) {
		for i := range x {
			x[i] = negInf
		}
	}
	for _, o := range []Options{{MaxNew: 3, Allow: none}, {MaxNew: 3, Allow: none, Temperature: 1}, {MaxNew: 3, Allow: none, Beams: 2}} {
		if _, err := e.Generate(context.Background(), Prompt{IDs: ids(3, 1)}, o, nil); !errors.Is(err, ErrOptions) {
			t.Errorf("%d beams, temperature %g: %v", o.Beams, o.Temperature, err)
		}
	}
}

// FuzzRules: any row and any rules leave a row without a NaN whose best value is one of the row's, or nothing at all.
func FuzzRules(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 4}, 1.3, 0.7, 5, 0.9, 0.1, 2)
	f.Add([]byte{0, 0, 0, 0}, 1.0, 0.0, 1, 1e-9, 1.0, 1)
	f.Add([]byte{255, 0, 128, 7, 7, 7, 9}, 0.5, 100.0, 300, 0.5, 0.0, 0)
	f.Fuzz(func(t *testing.T, row []byte, repetition, temperature float64, k int, p, m float64, n int) {
		o := Options{Repetition: repetition, Temperature: temperature, TopK: k, TopP: p, MinP: m, TypicalP: p, NoRepeat: n, Frequency: m, Presence: p, MaxNew: 4}
		if len(row) < 2 || len(row) > 2000 || o.check(len(row)) != nil {
			return
		}
		x := make([]float32, len(row))
		var seen []int32
		for i, b := range row {
			x[i] = (float32(b) - 100) / 7
			seen = append(seen, int32(int(b)%len(row)))
		}
		o.Rules(x, seen, len(seen)/2)
		if kernel.Max(x) == negInf {
			return
		}
		before := argmax(x)
		o.Warp(x)
		for i, v := range x {
			if v != v {
				t.Fatalf("NaN at %d", i)
			}
		}
		if o.TypicalP == 0 && argmax(x) != before || kernel.Max(x) == negInf {
			t.Fatalf("the best was %d, now %d", before, argmax(x))
		}
	})
}

// TestDice: draws follow the probabilities, and what has none is never drawn.
func TestDice(t *testing.T) {
	d := newDice(3)
	count := make([]int, 4)
	for range 40000 {
		count[d.draw([]float32{0.5, 0, 0.3, 0.2})]++
	}
	for i, want := range []float64{20000, 0, 12000, 8000} {
		if math.Abs(float64(count[i])-want) > 4*math.Sqrt(want) {
			t.Errorf("drawn %v", count)
		}
	}
}

// TestWaitingEnds: a step waits for a request under way, but goes without one that does not come back.
func TestWaitingEnds(t *testing.T) {
	e := New(long(t), 1<<28)
	e.active, e.took, e.queue = 2, time.Hour, []*job{{}}
	for _, least := range []time.Duration{gatherMost, gather} { // the second time it is known to be away
		begin := time.Now()
		e.await()
		if took := time.Since(begin); e.absent != 1 || took < least || took > time.Minute {
			t.Errorf("waited %v, %d absent", took, e.absent)
		}
	}
	e.active = 1
	if e.await(); e.absent != 0 {
		t.Errorf("%d absent of one that is there", e.absent)
	}
}

// TestStepsAreShared: requests that run at once need far fewer steps than ids.
func TestStepsAreShared(t *testing.T) {
	e := New(long(t), 1<<28)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { mustGenerate(t, e, request{Prompt{IDs: ids(4, i)}, Options{MaxNew: 30}}) })
	}
	wg.Wait()
	if e.steps > 8*30*2/3 {
		t.Errorf("%d steps for 8 requests of 30 ids", e.steps)
	}
}
