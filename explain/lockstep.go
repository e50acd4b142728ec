package explain

import (
	"context"
	"maps"
	"slices"
	"sync"

	"vitrine/inference"
)

// maxAbreast bounds the words that are explained at a time, and with them the points of their paths that memory holds.
const maxAbreast = 32

// attributeEach runs a method once for each of the problem's targets. The runs go abreast: where they ask the model the same, it
// runs once and differentiates all their targets through the values of that one pass, which changes no bit of any.
func attributeEach(ctx context.Context, method string, p *Problem) ([]*Attribution, error) {
	out := make([]*Attribution, 0, len(p.Targets))
	for targets := range slices.Chunk(p.Targets, maxAbreast) {
		found := make([]*Attribution, len(targets))
		params := make([]map[string]any, len(targets))
		err := abreast(ctx, p.Engine, len(targets), func(ctx context.Context, i int, e Engine) error {
			q := *p
			q.Engine, q.Target, q.Targets = e, targets[i], nil
			q.Params = maps.Clone(p.Params)
			params[i] = q.Params
			var err error
			found[i], err = Attribute(ctx, method, &q)
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
		maps.Copy(p.Params, params[0])
	}
	return out, nil
}

// call is one worker's wish.
type call struct {
	batch []inference.Example
	spec  inference.RunSpec
	reply chan answer
}

type answer struct {
	results []inference.Result
	err     error
}

// worker is the engine that one of several workers sees.
type worker struct {
	Engine
	calls chan<- *call
}

func (w worker) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	c := &call{batch, spec, make(chan answer, 1)}
	w.calls <- c
	a := <-c.reply
	return a.results, a.err
}

// abreast runs work n times at once. A call of the engine waits until every worker that is left has one, then equal ones are
// made together. The first error ends the others.
func abreast(ctx context.Context, e Engine, n int, work func(ctx context.Context, i int, e Engine) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	calls, done := make(chan *call), make(chan error)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { done <- work(ctx, i, worker{e, calls}) })
	}
	var first error
	var waiting []*call
	for left := n; left > 0; {
		select {
		case c := <-calls:
			waiting = append(waiting, c)
		case err := <-done:
			if left--; err != nil && first == nil {
				first = err
				cancel(err)
			}
		}
		if left > 0 && len(waiting) == left {
			serve(ctx, e, waiting)
			waiting = nil
		}
	}
	all.Wait()
	return first
}

// serve makes calls, equal ones together, and answers each.
func serve(ctx context.Context, e Engine, calls []*call) {
	for len(calls) > 0 {
		same, others := []*call{calls[0]}, []*call(nil)
		for _, c := range calls[1:] {
			if calls[0].joins(c) {
				same = append(same, c)
			} else {
				others = append(others, c)
			}
		}
		calls = others
		spec := same[0].spec
		if len(same) > 1 {
			for _, c := range same {
				spec.Targets = append(spec.Targets, *c.spec.Target)
			}
			spec.Target = nil
		}
		results, err := e.Run(ctx, same[0].batch, spec)
		for k, c := range same {
			c.reply <- answer{own(results, k, len(same) > 1), err}
		}
	}
}

// own are the results with the value and the gradients of target k.
func own(results []inference.Result, k int, several bool) []inference.Result {
	out := slices.Clone(results)
	for i := range out {
		if several {
			out[i].Value, out[i].Grads, out[i].Each = out[i].Each[k].Value, out[i].Each[k].Grads, nil
		}
	}
	return out
}

// joins says whether two calls ask the same of the same examples, but for the target.
func (c *call) joins(d *call) bool {
	a, b := c.spec, d.spec
	return a.Target != nil && b.Target != nil && a.Target.Quantity == b.Target.Quantity && a.Patch == nil && b.Patch == nil &&
		a.Rule == b.Rule && a.References == nil && b.References == nil && slices.Equal(a.Taps, b.Taps) && slices.Equal(a.Wrt, b.Wrt) &&
		slices.EqualFunc(c.batch, d.batch, sameExample)
}

func sameExample(a, b inference.Example) bool {
	return slices.Equal(a.IDs, b.IDs) && slices.Equal(a.Types, b.Types) && slices.Equal(a.Decoder, b.Decoder) &&
		slices.Equal(a.Embeddings, b.Embeddings) && slices.Equal(a.Pixels, b.Pixels) && slices.Equal(a.Shape, b.Shape) &&
		maps.EqualFunc(a.Patch, b.Patch, func(x, y inference.Tensor) bool {
			return slices.Equal(x.Shape, y.Shape) && slices.Equal(x.Data, y.Data)
		})
}
