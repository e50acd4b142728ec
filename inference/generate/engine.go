package generate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"vitrine/inference/family"
	"vitrine/inference/graph"
	"vitrine/inference/kernel"
	"vitrine/inference/op"
)

// Limits of an engine.
const (
	chunkRows = 128 // rows of a prompt that one step takes
	stepRows  = 256 // rows of all requests that one step takes
	maxPlans  = 128
	// prefixShare is the part of the memory that pages of earlier prompts may keep.
	prefixShare = 4
)

// Engine runs the steps of all requests to one network. It is safe for concurrent use.
type Engine struct {
	net    family.Generator
	desc   family.Description
	cache  family.Cache
	memory memory
	known  prefixes

	mu      sync.Mutex
	queue   []*job
	active  int  // requests between their steps or in one
	running bool // the loop is
	arrived chan struct{}

	// The loop's own.
	absent  int           // requests that kept the last step waiting in vain: a slow reader does so once
	took    time.Duration // the last step
	step    op.Step
	plans   map[[2]int]*stepPlan
	steps   int // run so far
	sources sourcePlans
}

// New makes an engine that keeps up to bytes of keys and values.
func New(net family.Generator, bytes int64) *Engine {
	e := &Engine{net: net, desc: net.Describe(), cache: net.Cache(), arrived: make(chan struct{}, 1), plans: map[[2]int]*stepPlan{}}
	keep := bytes / prefixShare
	e.memory = memory{limit: bytes - keep, freed: make(chan struct{})}
	e.known = prefixes{limit: int(keep / e.blockBytes()), byKey: map[[sha256.Size]byte]*block{}}
	return e
}

// blockBytes is the memory of one page of every layer.
func (e *Engine) blockBytes() int64 {
	return int64(e.cache.Layers) * int64(kernel.NewKVPage(e.cache.Heads, e.cache.Width).Bytes())
}

// row is one position to compute.
type row struct {
	kv       *op.KV
	id       int32
	position int
	read     bool // its logits are wanted
}

// job is the rows of one request's step.
type job struct {
	rows    []row
	threads int
	ctx     context.Context
	done    chan struct{} // closed when logits or err are there
	logits  [][]float32
	err     error
}

// compute runs rows and returns the logits of those that are read, in order. It returns at once when ctx ends.
func (e *Engine) compute(ctx context.Context, rows []row, threads int) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j := &job{rows: rows, threads: threads, ctx: ctx, done: make(chan struct{})}
	e.mu.Lock()
	e.queue = append(e.queue, j)
	if !e.running {
		e.running = true
		go e.loop()
	}
	e.mu.Unlock()
	e.wake()
	select {
	case <-j.done:
		return j.logits, j.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// enter and leave count the requests that a step waits for.
func (e *Engine) enter() { e.mu.Lock(); e.active++; e.mu.Unlock() }
func (e *Engine) leave() { e.mu.Lock(); e.active--; e.mu.Unlock(); e.wake() }

// wake makes the loop look again.
func (e *Engine) wake() {
	select {
	case e.arrived <- struct{}{}:
	default:
	}
}

// loop runs steps while there are any.
func (e *Engine) loop() {
	for {
		e.await()
		e.mu.Lock()
		jobs := e.take()
		if jobs == nil {
			e.running = false
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		begin := time.Now()
		e.run(jobs)
		e.took = time.Since(begin)
		for _, j := range jobs {
			close(j.done)
		}
	}
}

// take removes jobs from the queue, oldest first, that fit into one step.
func (e *Engine) take() []*job {
	var jobs []*job
	rest := e.queue[:0]
	n := 0
	for _, j := range e.queue {
		switch {
		case j.ctx.Err() != nil: // nobody waits for it
		case len(jobs) == 0 || n+len(j.rows) <= stepRows:
			jobs = append(jobs, j)
			n += len(j.rows)
		default:
			rest = append(rest, j)
		}
	}
	clear(e.queue[len(rest):])
	e.queue = rest
	return jobs
}

// run computes the rows of jobs in one run of the network and gives each its logits.
func (e *Engine) run(jobs []*job) {
	err := e.forward(jobs)
	for _, j := range jobs {
		if err != nil {
			j.logits, j.err = nil, err
		}
	}
}

func (e *Engine) forward(jobs []*job) error {
	var ids, positions, read []int32
	threads := 1
	e.step.Places = e.step.Places[:0]
	for _, j := range jobs {
		for _, r := range j.rows {
			if r.read {
				read = append(read, int32(len(ids)))
			}
			ids, positions = append(ids, r.id), append(positions, int32(r.position))
			e.step.Places = append(e.step.Places, op.Place{KV: r.kv, Position: r.position})
		}
		if j.threads < 1 || threads < 1 {
			threads = 0
		} else {
			threads = max(threads, j.threads)
		}
	}
	want := len(read)
	if want == 0 { // a graph reads at least one row
		read = []int32{0}
	}
	p, err := e.plan(len(ids), len(read))
	if err != nil {
		return err
	}
	ctx, stop := anyone(jobs)
	defer stop()
	defer clear(e.step.Places) // what ended is not held until the next step
	feeds := map[string]graph.Value{family.FeedIDs: {I: ids}, family.FeedPositions: {I: positions}, family.FeedRows: {I: read}}
	return p.plan.Run(ctx, feeds, threads, func(value func(graph.ID) graph.Value) {
		if want == 0 {
			return
		}
		all, v := value(p.output).F, e.desc.Vocab
		at := 0
		for _, j := range jobs {
			for _, r := range j.rows {
				if r.read {
					j.logits = append(j.logits, slices.Clone(all[at*v:(at+1)*v]))
					at++
				}
			}
		}
	})
}

// anyone is a context that ends when the last of the jobs' contexts has.
func anyone(jobs []*job) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	left := len(jobs)
	stops := []func() bool{}
	for _, j := range jobs {
		stops = append(stops, context.AfterFunc(j.ctx, func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				cancel()
			}
		}))
	}
	return ctx, func() {
		for _, s := range stops {
			s()
		}
		cancel()
	}
}

// stepPlan is a compiled step of some rows.
type stepPlan struct {
	plan   *graph.Plan
	output graph.ID
	used   int
}

// plan returns the plan of a step of n rows of which some are read; only the loop calls it.
func (e *Engine) plan(n, read int) (*stepPlan, error) {
	e.steps++
	key := [2]int{n, read}
	if p := e.plans[key]; p != nil {
		p.used = e.steps
		return p, nil
	}
	b, err := e.net.BuildStep(n, read, &e.step)
	if err != nil {
		return nil, fmt.Errorf("generate: building a step: %w", err)
	}
	plan, err := graph.Compile(b.G, []graph.ID{b.Output}, true)
	if err != nil {
		return nil, fmt.Errorf("generate: compiling a step: %w", err)
	}
	p := &stepPlan{plan: plan, output: b.Output, used: e.steps}
	e.plans[key] = p
	if len(e.plans) > maxPlans {
		oldest := key
		for k, p := range e.plans {
			if p.used < e.plans[oldest].used {
				oldest = k
			}
		}
		delete(e.plans, oldest)
	}
	return p, nil
}

// errOutput: the network's numbers are not finite.
var errOutput = errors.New("generate: the logits are not finite numbers; the checkpoint overflows on this input")

// feed computes what is not yet in the cache of a sequence, in chunks; read tells of each position whether its logits are wanted. The logits come in order.
func (e *Engine) feed(ctx context.Context, s *sequence, threads int, read func(position int) bool) ([][]float32, error) {
	var out [][]float32
	for s.cached < len(s.ids) {
		n := min(len(s.ids), s.cached+chunkRows)
		s.room(n, e.cache)
		rows := make([]row, 0, n-s.cached)
		for i := s.cached; i < n; i++ {
			rows = append(rows, row{s.kv, s.ids[i], i, read(i)})
		}
		logits, err := e.compute(ctx, rows, threads)
		if err != nil {
			return nil, err
		}
		s.cached, out = n, append(out, logits...)
	}
	return out, nil
}
