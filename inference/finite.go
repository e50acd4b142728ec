package inference

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"vitrine/inference/graph"
)

// finite refuses values of a caller of which one is no number.
func finite(what string, x []float32) error {
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("%w: value %d of the %s is %v; give finite numbers", ErrInput, i, what, v)
		}
	}
	return nil
}

func allFinite(x []float32) bool { return finite("", x) == nil }

// overflow is the error of an example whose output is not finite although its weights and inputs are. It runs the example
// once more to name the value where that begins; where there is no room for that, it names none.
func (r *request) overflow(ctx context.Context, k key, member int) error {
	where := ""
	if name, v, ok := r.firstNotFinite(ctx, k, member); ok {
		where = fmt.Sprintf(": %s holds %v first", name, v)
	}
	return fmt.Errorf("inference: %w: the output for example %d is not a finite number%s; the checkpoint overflows float32 on this input, use another one", ErrModel, member, where)
}

func (r *request) firstNotFinite(ctx context.Context, k key, member int) (name string, v float32, ok bool) {
	trace := request{m: r.m, batch: r.batch, spec: RunSpec{Patch: r.spec.Patch, Memory: r.spec.Memory}}
	q := trace.question(k, 1, saveNothing)
	bare, err := r.m.compile(q, false)
	if err != nil {
		return "", 0, false
	}
	g := bare.built.G
	for _, name := range g.Names() {
		if id, _ := g.Find(name); !g.Nodes[id].Int && len(g.Nodes[id].In) > 0 {
			q.taps = append(q.taps, name)
		}
	}
	slices.SortStableFunc(q.taps, func(a, b string) int {
		x, _ := g.Find(a)
		y, _ := g.Find(b)
		return cmp.Compare(x, y)
	})
	c, err := r.m.compile(q, false)
	if err != nil || c.estimate(0) > trace.limit() {
		return "", 0, false
	}
	feeds, err := trace.feeds(c, k, []int{member})
	if err != nil {
		return "", 0, false
	}
	need := c.estimate(0)
	if memory.take(ctx, need, trace.limit()) != nil {
		return "", 0, false
	}
	defer memory.give(need)
	err = c.plan.Run(ctx, feeds, r.spec.Threads, func(value func(graph.ID) graph.Value) {
		for j, tap := range q.taps {
			x := value(c.taps[j]).F
			if i := slices.IndexFunc(x, func(v float32) bool { return v-v != 0 }); i >= 0 {
				name, v, ok = tap, x[i], true
				return
			}
		}
	})
	return name, v, ok && err == nil
}
