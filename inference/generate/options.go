package generate

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrOptions: an option is out of range; the message names it and the range.
	ErrOptions = errors.New("option not usable")
	// ErrContext: prompt and continuation do not fit the network's positions.
	ErrContext = errors.New("longer than the model's context")
	// ErrMemory: the request alone would take more memory than there is for generation.
	ErrMemory = errors.New("too much memory")
)

// Options say how a sequence is continued. The zero value is greedy decoding up to the end of the context.
type Options struct {
	MaxNew, MinNew int // new ids; MaxNew 0 means as many as fit
	// Temperature 0 takes the most probable id each time. Otherwise ids are drawn after TopK, TopP, MinP and TypicalP, each 0
	// for none, have removed what is improbable, in this order.
	Temperature          float64
	TopK                 int
	TopP, MinP, TypicalP float64
	Seed                 uint64
	// Repetition divides or multiplies the logits of ids that were seen, prompt included (Keskar et al. 2019); 0 and 1 for none.
	// Frequency and Presence are subtracted for each time, and once, that an id was written.
	Repetition, Frequency, Presence float64
	NoRepeat                        int // no n ids twice in a row, prompt included; 0 for none
	EOS                             []int32
	BadWords                        [][]int32 // sequences that are never completed
	ForcedFirst, ForcedLast         []int32   // the first id, and what stands at the last place; nil for none
	// Beams above 1 searches for the Return best sequences by their log-probability over length^Penalty; Early ends it with
	// the first Beams finished ones, Never only when no better one can follow.
	Beams, Return int
	Penalty       float64
	Early, Never  bool
	// Alternatives is how many of the most probable ids are reported with each.
	Alternatives int
	// Allow, where it is not nil, removes ids before any other rule, by setting their logits to -Inf, and learns what was
	// chosen by being called with the sequence so far.
	Allow   func(written []int32, logits []float32)
	Threads int
}

// maxAlternatives bounds the ids reported beside the chosen one.
const maxAlternatives = 100

// check refuses options out of range and fills in what zero stands for.
func (o *Options) check(vocab int) error {
	if o.Penalty == 0 {
		o.Penalty = 1
	}
	if o.Repetition == 0 {
		o.Repetition = 1
	}
	o.Beams, o.Return = max(o.Beams, 1), max(o.Return, 1)
	for _, c := range []struct {
		name      string
		v, lo, hi float64
	}{
		{"max tokens", float64(o.MaxNew), 0, 1 << 24}, {"min tokens", float64(o.MinNew), 0, 1 << 24},
		{"temperature", o.Temperature, 0, 100}, {"top-k", float64(o.TopK), 0, 1 << 30}, {"top-p", o.TopP, 0, 1}, {"min-p", o.MinP, 0, 1},
		{"typical-p", o.TypicalP, 0, 1}, {"repetition penalty", o.Repetition, 0.01, 100}, {"frequency penalty", o.Frequency, -100, 100},
		{"presence penalty", o.Presence, -100, 100}, {"no-repeat length", float64(o.NoRepeat), 0, 1 << 20}, {"beams", float64(o.Beams), 1, 64},
		{"number of sequences", float64(o.Return), 1, float64(o.Beams)}, {"length penalty", o.Penalty, -100, 100},
		{"alternatives", float64(o.Alternatives), 0, maxAlternatives},
	} {
		if !(c.v >= c.lo && c.v <= c.hi) {
			return fmt.Errorf("generate: %w: %s is %g, expected %g to %g", ErrOptions, c.name, c.v, c.lo, c.hi)
		}
	}
	if o.Beams > 1 && o.Temperature > 0 {
		return fmt.Errorf("generate: %w: beam search does not sample; give either beams or a temperature", ErrOptions)
	}
	if o.Beams > 1 && (o.Frequency != 0 || o.Presence != 0) {
		return fmt.Errorf("generate: %w: frequency and presence penalties do not go with beam search", ErrOptions)
	}
	for _, list := range append([][]int32{o.EOS, o.ForcedFirst, o.ForcedLast}, o.BadWords...) {
		for _, id := range list {
			if id < 0 || int(id) >= vocab {
				return fmt.Errorf("generate: %w: id %d outside the vocabulary of %d", ErrOptions, id, vocab)
			}
		}
	}
	return nil
}

// Prompt is what is continued. Of an encoder-decoder, Source is what the encoder reads and IDs what the decoder has written so
// far, its start included.
type Prompt struct{ Source, IDs []int32 }

// Alternative is an id that was possible.
type Alternative struct {
	ID      int32
	LogProb float64
}

// Token is one id written. LogProb and those of the alternatives come from the network's own logits, before any rule.
type Token struct {
	ID           int32
	LogProb      float64
	Alternatives []Alternative
}

// Why a sequence ended.
const (
	EndStop   = "stop"   // an end id was written
	EndLength = "length" // as many ids as allowed
	EndCut    = "cut"    // the receiver wanted no more
)

// Sequence is one answer: its new ids, an end id included, with the log-probability over length^Penalty as Score for beams.
type Sequence struct {
	Tokens []Token
	Score  float64
	End    string
}

// IDs lists a sequence's ids.
func (s *Sequence) IDs() []int32 {
	out := make([]int32, len(s.Tokens))
	for i, t := range s.Tokens {
		out[i] = t.ID
	}
	return out
}

var negInf = float32(math.Inf(-1))
