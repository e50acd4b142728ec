package inference

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"vitrine/inference/graph"
)

// budgetEnv names the memory that all runs of this process together may take beside the weights: a number of bytes, or one
// with K, M or G (powers of 1024).
const budgetEnv = "VITRINE_MEMORY"

// unknownMachine is the budget where the machine's memory is not known.
const unknownMachine = 4 << 30

// memory is what the runs of this process may take and what they take.
var memory = reservations{}

var budget = sync.OnceValues(func() (int64, error) { return parseBudget(os.Getenv(budgetEnv), machineMemory()) })

// MemoryBudget is how many bytes all runs together may take beside the weights: VITRINE_MEMORY, or half of the memory that
// this process may use on this machine. The error says why the variable is not understood; the half is in force then.
func MemoryBudget() (int64, error) { return budget() }

// parseBudget reads the variable; machine is 0 where it is unknown.
func parseBudget(s string, machine int64) (int64, error) {
	fallback := machine / 2
	if machine <= 0 {
		fallback = unknownMachine
	}
	if s == "" {
		return fallback, nil
	}
	digits, shift := s, 0
	if i := strings.IndexByte("KMG", s[len(s)-1]); i >= 0 {
		digits, shift = s[:len(s)-1], 10*(i+1)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || n > 1<<50>>shift {
		return fallback, fmt.Errorf("inference: %s is %.40q; give a number of bytes, with K, M or G behind it", budgetEnv, s)
	}
	return n << shift, nil
}

// reservations share the budget between runs.
type reservations struct {
	mu      sync.Mutex
	taken   int64
	changed chan struct{} // closed when something is given back
}

// take waits until n of limit bytes are free, or ctx ends. A run that is alone is let through whatever it takes: what one
// run may take is decided before.
func (r *reservations) take(ctx context.Context, n, limit int64) error {
	for {
		r.mu.Lock()
		if r.taken == 0 || r.taken+n <= limit {
			r.taken += n
			r.mu.Unlock()
			return nil
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		wait := r.changed
		r.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *reservations) give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken -= n
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// limit is what one run of the request may take.
func (r *request) limit() int64 {
	if r.spec.Memory > 0 {
		return r.spec.Memory
	}
	n, _ := budget()
	return n
}

// estimate is the memory that a run of the plan takes beside the weights: values, inputs, results, what layers pack on
// their first reverse pass, and for the scratch of kernels as much as the largest value.
func (c *compiled) estimate(rounds int) int64 {
	return c.plan.Bytes() + c.plan.Feeds() + c.plan.Kept() + c.plan.Largest() + c.results(rounds)
}

// results is the memory of what a run of the plan returns.
func (c *compiled) results(rounds int) (n int64) {
	g := c.built.G
	for _, id := range append([]graph.ID{c.output}, c.taps...) {
		n += 4 * int64(graph.Size(g.Shape(id)))
	}
	for _, id := range c.wrt {
		n += 4 * int64(rounds) * int64(graph.Size(g.Shape(id)))
	}
	return n
}

// saving is what a run does to take less memory, each including the ones before.
type saving int

const (
	saveNothing saving = iota
	saveRounds         // targets one at a time
	saveValues         // the reverse pass computes values again
)

// fit finds how many of the examples run together, and what has to be saved for one of them to fit the limit. An error says
// what it would take all the same.
func (r *request) fit(k key, members int) (size int, save saving, err error) {
	limit, size := r.limit(), members
	for {
		p, err := r.m.plan(r.question(k, size, save))
		if errors.Is(err, graph.ErrTooLarge) && size > 1 {
			size /= 2
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		rounds := max(1, len(r.spec.Targets))
		results := p.results(rounds)
		need := p.estimate(rounds) - results + results/int64(size)*int64(members) // the results of all parts stay
		switch {
		case size > 1 && (p.plan.Bytes() > softArena || need > limit):
			size = max(1, min(size-1, int(float64(size)*min(float64(softArena)/float64(p.plan.Bytes()), float64(limit)/float64(need)))))
		case need <= limit:
			chunks := (members + size - 1) / size
			return (members + chunks - 1) / chunks, save, nil
		case len(r.spec.Wrt) > 0 && save < saveValues:
			save++
		default:
			return 0, 0, fmt.Errorf("inference: %w: %d of %d examples at a time would take about %d MiB of memory beside the model, allowed are %d (%s); use a shorter text or a smaller picture, or ask for less at once",
				ErrInput, size, members, (need+1<<20-1)>>20, limit>>20, budgetEnv)
		}
	}
}

// kept are the values that stay when a reverse pass computes the others again: what enters each layer, and what is
// returned anyway.
func (m *Model) kept(c *compiled) []graph.ID {
	keep := append([]graph.ID{}, c.built.Layers...)
	for _, name := range m.desc.Taps.Hidden {
		if id, ok := c.built.G.Find(name); ok {
			keep = append(keep, id)
		}
	}
	return append(keep, c.taps...)
}
