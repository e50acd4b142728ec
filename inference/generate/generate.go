package generate

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference/kernel"
)

// Generate continues a prompt. emit, where it is not nil, gets each id as it is chosen (not in beam search, where ids are final only at the
// end); an error from it ends the sequence as cut. The sequences come best first. Errors wrap this package's sentinels or ctx's error; with
// the latter, what was written so far is returned as well.
func (e *Engine) Generate(ctx context.Context, p Prompt, o Options, emit func(Token) error) ([]Sequence, error) {
	if err := o.check(e.desc.Vocab); err != nil {
		return nil, err
	}
	if err := e.fits(&p, &o.MaxNew); err != nil {
		return nil, err
	}
	s, done, err := e.start(ctx, p, int64(o.Beams), o.MaxNew, o.Threads)
	if err != nil {
		return nil, err
	}
	defer done()
	if o.Beams > 1 {
		return e.search(ctx, s, &o)
	}
	one, err := e.write(ctx, s, &o, emit)
	return []Sequence{one}, err
}

// fits checks a prompt against the network and turns a limit of 0 into what is left.
func (e *Engine) fits(p *Prompt, maxNew *int) error {
	limit := e.desc.MaxTokens
	if e.desc.MaxDecoder > 0 {
		if len(p.Source) == 0 {
			return fmt.Errorf("generate: %w: the source is empty", ErrOptions)
		}
		if len(p.Source) > limit {
			return fmt.Errorf("generate: %w: the source has %d tokens, the model takes %d; shorten it or work on it in windows", ErrContext, len(p.Source), limit)
		}
		if len(p.IDs) == 0 {
			p.IDs = []int32{e.desc.DecoderStart}
		}
		limit = e.desc.MaxDecoder
	}
	if len(p.IDs) == 0 {
		return fmt.Errorf("generate: %w: the prompt is empty", ErrOptions)
	}
	for _, list := range [][]int32{p.Source, p.IDs} {
		for _, id := range list {
			if id < 0 || int(id) >= e.desc.Vocab {
				return fmt.Errorf("generate: %w: id %d outside the vocabulary of %d", ErrOptions, id, e.desc.Vocab)
			}
		}
	}
	if len(p.IDs)+*maxNew > limit || len(p.IDs) >= limit {
		return fmt.Errorf("generate: %w: %d tokens of prompt and %d to follow, the model takes %d together; shorten the prompt or ask for fewer", ErrContext,
			len(p.IDs), max(*maxNew, 1), limit)
	}
	if *maxNew == 0 {
		*maxNew = limit - len(p.IDs)
	}
	return nil
}

// start reserves memory, runs the encoder and finds what is known of the prompt; done must be called at the end.
func (e *Engine) start(ctx context.Context, p Prompt, beams int64, maxNew, threads int) (s *sequence, done func(), err error) {
	pages := func(n int) int64 { return int64((n + kernel.PageTokens - 1) / kernel.PageTokens) }
	bytes := (beams*(pages(len(p.IDs)+maxNew)+1) + pages(len(p.Source))) * e.blockBytes()
	if err := e.memory.take(ctx, bytes); err != nil {
		return nil, nil, err
	}
	e.enter()
	done = func() { e.leave(); e.memory.give(bytes) }
	s = newSequence(p.IDs, e.cache.Layers)
	if len(p.Source) > 0 {
		if err := e.read(ctx, s, p.Source, threads); err != nil {
			done()
			return nil, nil, err
		}
	}
	keys := prefixKeys(p.Source, p.IDs)
	e.known.find(s, keys)
	end := done
	return s, func() { e.known.keep(s, keys); end() }, nil
}

// write decodes one sequence, greedily or by drawing.
func (e *Engine) write(ctx context.Context, s *sequence, o *Options, emit func(Token) error) (Sequence, error) {
	out := Sequence{End: EndLength}
	dice := newDice(o.Seed)
	prompt := len(s.ids)
	for len(out.Tokens) < o.MaxNew {
		logits, err := e.feed(ctx, s, o.Threads, func(i int) bool { return i == len(s.ids)-1 })
		if err != nil {
			out.End = EndCut
			return out, err
		}
		x := logits[0]
		t, logs, err := observe(x)
		if err != nil {
			return out, err
		}
		if o.Allow != nil {
			o.Allow(s.ids[prompt:], x)
		}
		o.penalise(x, s.ids, len(out.Tokens), o.MaxNew)
		if kernel.Max(x) == negInf {
			return out, errRules
		}
		if o.Temperature > 0 {
			o.Warp(x)
			t.ID = dice.draw(probabilities(x))
		} else {
			t.ID = int32(argmax(x))
		}
		t.LogProb = float64(logs[t.ID])
		t.Alternatives = best(logs, o.Alternatives)
		out.Tokens = append(out.Tokens, t)
		s.ids = append(s.ids, t.ID)
		if emit != nil {
			if err := emit(t); err != nil {
				out.End = EndCut
				return out, nil
			}
		}
		if slices.Contains(o.EOS, t.ID) {
			out.End = EndStop
			break
		}
	}
	return out, nil
}

// Score is the log-probability of each id of a continuation, given the prompt and those before it, with the most probable alternatives; the ids of the prompt
// itself are scored too where the continuation is empty, but for the first, which nothing precedes.
func (e *Engine) Score(ctx context.Context, p Prompt, continuation []int32, alternatives, threads int) ([]Token, error) {
	from := max(len(p.IDs), 1)
	if len(continuation) == 0 {
		from = 1
	}
	n := len(continuation)
	whole := Prompt{Source: p.Source, IDs: append(slices.Clone(p.IDs), continuation...)}
	if e.desc.MaxDecoder > 0 && len(p.IDs) == 0 {
		whole.IDs, from = append([]int32{e.desc.DecoderStart}, continuation...), 1
	}
	ids := whole.IDs
	if len(ids) < 2 {
		return nil, fmt.Errorf("generate: %w: nothing to score", ErrOptions)
	}
	whole.IDs = ids[:len(ids)-1]
	room := 1
	if err := e.fits(&whole, &room); err != nil {
		return nil, err
	}
	if id := ids[len(ids)-1]; id < 0 || int(id) >= e.desc.Vocab {
		return nil, fmt.Errorf("generate: %w: id %d outside the vocabulary of %d", ErrOptions, id, e.desc.Vocab)
	}
	s, done, err := e.start(ctx, Prompt{Source: whole.Source, IDs: whole.IDs}, 1, 1, threads)
	if err != nil {
		return nil, err
	}
	defer done()
	// What is known of the prompt's pages has no logits: only positions whose logits are read must be computed.
	if s.cached > from-1 {
		s = &sequence{kv: newSequence(nil, e.cache.Layers).kv, ids: s.ids}
		if len(p.Source) > 0 {
			if err := e.read(ctx, s, p.Source, threads); err != nil {
				return nil, err
			}
		}
	}
	out := make([]Token, 0, max(n, len(ids)-1))
	for s.cached < len(s.ids) { // chunk by chunk, so that the logits of a long text are not all there at once
		whole := s.ids
		s.ids = whole[:min(len(whole), s.cached+chunkRows)]
		first := s.cached
		logits, err := e.feed(ctx, s, threads, func(i int) bool { return i >= from-1 })
		if err != nil {
			return nil, err
		}
		at := max(first, from-1)
		for i, x := range logits {
			t, logs, err := observe(x)
			if err != nil {
				return nil, err
			}
			t.ID = ids[at+i+1]
			t.LogProb, t.Alternatives = float64(logs[t.ID]), best(logs, alternatives)
			out = append(out, t)
		}
		s.ids = whole
	}
	return out, nil
}
