package generate

import (
	"cmp"
	"context"
	"slices"

	"vitrine/inference/kernel"
)

// never is the score of what must not be chosen; the reference's own number, because sums with it are compared.
const never = -1e9

// beam is a running or a finished sequence of a search.
type beam struct {
	s        *sequence
	tokens   []Token
	score    float64 // sum of log-probabilities while running, over length^penalty when finished
	finished bool
}

// continuation is one way to go on.
type continuation struct {
	from  int // running beam
	id    int32
	score float64
}

// search is beam search as in generation/utils.py of transformers (_beam_search), for one prompt: beams and candidates are kept sorted, only candidates among
// the best Beams may finish, finished ones are scored by length, and the search ends when no running beam can overtake the worst finished.
func (e *Engine) search(ctx context.Context, first *sequence, o *Options) ([]Sequence, error) {
	prompt := len(first.ids)
	running := []*beam{{s: first}}
	var finished []*beam
	improvable := true
	for written := 0; ; {
		scores, observed, err := e.scores(ctx, running, prompt, written, o)
		if err != nil {
			return nil, err
		}
		top := candidates(running, scores, max(2, 1+len(o.EOS))*o.Beams)
		if len(top) == 0 && len(finished) == 0 {
			return nil, errRules
		}
		ends := func(c continuation) bool { return written+1 >= o.MaxNew || slices.Contains(o.EOS, c.id) }
		grow := func(c continuation) []Token {
			t := Token{ID: c.id, LogProb: float64(observed[c.from][c.id]), Alternatives: best(observed[c.from], o.Alternatives)}
			return append(slices.Clone(running[c.from].tokens), t)
		}
		full := o.Early && len(finished) >= o.Beams
		open := false
		for i, c := range top {
			if !ends(c) {
				open = true
			} else if i < o.Beams && !full && improvable {
				finished = append(finished, &beam{tokens: grow(c), score: c.score / power(written+1, o.Penalty), finished: true})
			}
		}
		slices.SortStableFunc(finished, func(a, b *beam) int { return cmp.Compare(b.score, a.score) })
		finished = finished[:min(len(finished), o.Beams)]
		if !open {
			break
		}
		running = advance(running, top, o.Beams, ends, grow)
		written++
		improvable = improvable && canImprove(running[0].score, finished, written, o)
		if !improvable || o.Early && len(finished) >= o.Beams {
			break
		}
	}
	var out []Sequence
	for _, b := range finished[:min(len(finished), o.Return)] {
		end := EndLength
		if slices.Contains(o.EOS, b.tokens[len(b.tokens)-1].ID) {
			end = EndStop
		}
		out = append(out, Sequence{Tokens: b.tokens, Score: b.score, End: end})
	}
	return out, nil
}

// scores are the log-probabilities of every continuation of every running beam, after the rules, and before them.
func (e *Engine) scores(ctx context.Context, running []*beam, prompt, written int, o *Options) (scores, observed [][]float32, err error) {
	var logits [][]float32
	if written == 0 {
		s := running[0].s
		logits, err = e.feed(ctx, s, o.Threads, func(i int) bool { return i == len(s.ids)-1 })
	} else { // one row a beam, together
		var rows []row
		for _, b := range running {
			n := len(b.s.ids)
			b.s.room(n, e.cache)
			rows = append(rows, row{b.s.kv, b.s.ids[n-1], n - 1, true})
			b.s.cached = n
		}
		logits, err = e.compute(ctx, rows, o.Threads)
	}
	if err != nil {
		return nil, nil, err
	}
	for i, x := range logits {
		_, logs, err := observe(x)
		if err != nil {
			return nil, nil, err
		}
		observed = append(observed, logs)
		y := slices.Clone(logs)
		if o.Allow != nil {
			o.Allow(running[i].s.ids[prompt:], x)
			if copy(y, x); kernel.Max(x) != negInf {
				kernel.LogSoftmax(1, 1, len(x), y, x)
			}
		}
		o.penalise(y, running[i].s.ids, written, o.MaxNew)
		scores = append(scores, y)
	}
	return scores, observed, nil
}

// candidates are the n best continuations over all beams, best first; of equals the earlier beam and the lower id.
func candidates(running []*beam, scores [][]float32, n int) []continuation {
	var top []continuation
	for b, row := range scores {
		for id, v := range row {
			s := running[b].score + float64(v)
			if len(top) == n && s <= top[n-1].score || v == negInf {
				continue
			}
			at, _ := slices.BinarySearchFunc(top, s, func(c continuation, s float64) int {
				if c.score >= s {
					return -1
				}
				return 1
			})
			top = slices.Insert(top, at, continuation{b, int32(id), s})
			top = top[:min(len(top), n)]
		}
	}
	return top
}

// advance makes the next running beams of the best continuations that do not end. The first heir of a beam takes over what it remembers, others copy it.
func advance(running []*beam, top []continuation, n int, ends func(continuation) bool, grow func(continuation) []Token) []*beam {
	heirs := map[int]int{}
	var chosen []continuation
	for _, c := range top {
		if !ends(c) && len(chosen) < n {
			chosen = append(chosen, c)
			heirs[c.from]++
		}
	}
	var out []*beam
	for _, c := range chosen {
		s := running[c.from].s
		if heirs[c.from]--; heirs[c.from] > 0 {
			s = s.fork()
		}
		out = append(out, &beam{s: s, tokens: grow(c), score: c.score})
	}
	for i, b := range out {
		b.s.ids = append(b.s.ids, chosen[i].id)
	}
	return out
}

// canImprove says whether the best running beam could still overtake the worst finished one.
func canImprove(running float64, finished []*beam, written int, o *Options) bool {
	if len(finished) == 0 {
		return true
	}
	length := written
	if o.Never && o.Penalty > 0 {
		length = o.MaxNew
	}
	possible := running / power(length, o.Penalty)
	worst := float64(never)
	if len(finished) >= o.Beams {
		worst = finished[len(finished)-1].score
	}
	return possible > worst
}

// power is n^p by the engine's own functions, which give the same bits everywhere; package math does not.
func power(n int, p float64) float64 {
	if p == 1 {
		return float64(n)
	}
	x := []float32{float32(n)}
	kernel.Log(x, x)
	x[0] *= float32(p)
	kernel.Exp(x, x)
	return float64(x[0])
}
