package grammar

import (
	"errors"
	"math"
)

// Grammar is a form that texts can have. It is immutable and safe for concurrent use.
type Grammar struct{ net *network }

// Match says whether text is a whole document of the grammar. Errors are of texts that take
// too much work.
func (g *Grammar) Match(text []byte) (bool, error) {
	m := newMachine(g.net)
	at := start
	for _, c := range text {
		if at = m.step(at, c); at == dead {
			return false, nil
		}
		if m.work > maxWork {
			return false, errWork
		}
	}
	return m.moments[at].accepts, nil
}

// Matcher holds one answer, or the beams of one, to a grammar. Not safe for concurrent use.
type Matcher struct {
	v       *Vocabulary
	m       *machine
	ids     []int32 // read so far
	places  []int32 // before each of them, and behind the last
	opening []uint64
	err     error
}

// Matcher begins an answer.
func (g *Grammar) Matcher(v *Vocabulary) *Matcher {
	return &Matcher{v: v, m: newMachine(g.net), places: []int32{start}}
}

// errForced: a token came that was not allowed.
var errForced = errors.New("grammar: another rule made the model write what the format forbids; leave that rule or the format out")

// Allow sets to -Inf the logits of tokens that no document goes on with after written, ids
// of this answer; see Options.Allow of package generate. After an error, which Err tells,
// nothing is possible any more.
func (a *Matcher) Allow(written []int32, logits []float32) {
	mask, err := a.after(written)
	if err != nil {
		a.err = err
	}
	inf := float32(math.Inf(-1))
	for i := range logits {
		if w := i >> 6; a.err != nil || w >= len(mask) || mask[w]>>(i&63)&1 == 0 {
			logits[i] = inf
		}
	}
}

// Err is why nothing is possible any more; nil while something is.
func (a *Matcher) Err() error { return a.err }

// after is the mask behind some ids. What was read before is not read again.
func (a *Matcher) after(written []int32) ([]uint64, error) {
	if a.m.full() {
		a.m.reset()
		a.ids, a.places = a.ids[:0], a.places[:1]
	}
	n := 0
	for n < len(a.ids) && n < len(written) && a.ids[n] == written[n] {
		n++
	}
	a.ids, a.places = a.ids[:n], a.places[:n+1]
	a.m.work = 0
	for _, id := range written[n:] {
		list := a.v.bytes
		if len(a.ids) == 0 {
			list = a.v.opener
		}
		at := a.places[len(a.ids)]
		if id < 0 || int(id) >= len(list) || len(list[id]) == 0 {
			return nil, errForced
		}
		for _, c := range list[id] {
			if at = a.m.step(at, c); at == dead {
				return nil, errForced
			}
			if a.m.work > maxWork {
				return nil, errWork
			}
		}
		a.ids, a.places = append(a.ids, id), append(a.places, at)
	}
	at := a.places[n+len(written[n:])]
	if len(written) == 0 {
		var err error
		if a.opening == nil {
			a.opening, err = a.v.mask(a.m, a.v.first, at)
		}
		return a.opening, err
	}
	if known := a.m.moments[at].mask; known != nil {
		return known, nil
	}
	mask, err := a.v.mask(a.m, a.v.later, at)
	a.m.moments[at].mask = mask
	a.m.masks++
	return mask, err
}
