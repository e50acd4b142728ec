package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"vitrine/inference"
	"vitrine/inference/generate"
	"vitrine/inference/grammar"
)

// writers bounds how many requests write at a time.
type writers struct {
	once   sync.Once
	places chan struct{}
}

// writer waits for a place among those that write; release gives it back.
func (a *App) writer(ctx context.Context) (release func(), err error) {
	a.writers.once.Do(func() { a.writers.places = make(chan struct{}, maxWriters) })
	if a.waiting.Add(1) > maxWaiting {
		a.waiting.Add(-1)
		return nil, fail(ErrBusy, "try again in a few seconds", "%d requests wait for the model already", maxWaiting)
	}
	defer a.waiting.Add(-1)
	select {
	case a.writers.places <- struct{}{}:
		return func() { <-a.writers.places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// seedOf is the seed of a request, a random one where it names none: of 32 bits, so that
// every JSON reader keeps it.
func seedOf(r *GenerateRequest) uint64 {
	if r.Seed != nil {
		return *r.Seed
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return uint64(binary.LittleEndian.Uint32(b[:]))
}

// session is one request at work.
type session struct {
	w      *run
	m      *inference.Model
	p      *prompt
	r      *GenerateRequest
	sink   Sink
	begun  Started
	spell  speller
	ends   []int32
	seed   uint64
	form   *grammar.Grammar // of every answer; nil for any text
	mu     sync.Mutex       // guards what follows, spell and the calls of the sink
	opened bool
	lost   error // the sink's error
	total  int   // tokens written
}

// write lets the model write. gone is not nil where what it wrote was cut: by the reader,
// by ctx or by maxWriting. err is of a request that cannot be answered at all.
func (a *App) write(ctx context.Context, w *run, m *inference.Model, p *prompt, r *GenerateRequest, v *PredictionView, sink Sink) (out *OutputView, gone, err error) {
	release, err := a.writer(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	limited, stop := context.WithTimeoutCause(ctx, maxWriting, errSlow)
	defer stop()
	limited, halt := context.WithCancelCause(limited)
	defer halt(nil)
	go a.watch(limited, w, halt)
	s := &session{w: w, m: m, p: p, r: r, sink: sink, spell: speller{model: m, words: map[int32]string{}}, ends: m.Defaults().EOS, seed: seedOf(r)}
	if s.form, err = r.Format.grammar(); err != nil {
		return nil, nil, err
	}
	s.begun = Started{ID: v.ID, Model: v.Model, PolicyVersion: v.Decision.PolicyVersion,
		ReceiptURL: a.receiptURL(v.Receipt.Event), PromptTokens: p.count, PromptText: w.input.kept.Text}
	out = &OutputView{Generated: []GeneratedText{}, Sampling: r.sampling(s.seed)}
	out.Sampling.PromptTokens = p.count
	if r.ScorePrompt {
		if out.Prompt, err = s.score(limited, a.config.Threads); err != nil {
			return nil, nil, inputError(err)
		}
		s.begun.Prompt = roundTokens(w.decision.Obligations, out.Prompt)
	}
	if r.MaxTokens == nil || *r.MaxTokens > 0 {
		out.Generated, err = s.answers(limited, a.config.Threads)
	}
	out.Sampling.Written = s.total
	switch {
	case s.lost != nil:
		return out, s.lost, nil
	case err != nil && limited.Err() == nil:
		return nil, nil, inputError(err)
	case err != nil:
		return out, context.Cause(limited), nil
	}
	return out, s.open(), nil
}

// stopWatch is how often a text that is being written looks whether its model was stopped.
const stopWatch = 250 * time.Millisecond

// watch ends a writing whose model somebody stops.
func (a *App) watch(ctx context.Context, w *run, halt context.CancelCauseFunc) {
	tick := time.NewTicker(stopWatch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := a.stillRuns(ctx, w.row); err != nil && ctx.Err() == nil {
				halt(err)
				return
			}
		}
	}
}

// errSlow: maxWriting ended an answer.
var errSlow = fail(ErrInput, "ask for fewer tokens", "the answer was ended after %s", maxWriting)

// score is the log-probability of each token of the prompt.
func (s *session) score(ctx context.Context, threads int) ([]GeneratedToken, error) {
	if s.p.writing.IDs == nil {
		return nil, fail(ErrInput, "choose a model that goes on from a text", "%s reads a text and writes another; its prompt has no log-probabilities", s.w.row.Name)
	}
	out := make([]GeneratedToken, len(s.p.tokens))
	whole, spelled, err := s.m.Spell(s.p.writing.IDs)
	if err != nil {
		return nil, err
	}
	text := []rune(whole)
	for i, t := range s.p.kept {
		out[i] = GeneratedToken{ID: t.ID, Text: string(text[spelled[i].Start:spelled[i].End]), Start: t.Start, End: t.End, Special: t.Special}
	}
	if len(out) > 1 {
		list, err := s.m.Score(ctx, generate.Prompt{IDs: s.p.writing.IDs}, nil, max(s.r.Alternatives, keptAlternatives), threads)
		if err != nil {
			return nil, err
		}
		for i, t := range list {
			out[i+1].LogProb, out[i+1].Alternatives = t.LogProb, s.spell.alternatives(t.Alternatives)
		}
	}
	for i, t := range s.p.kept {
		if t.Text == placeholderToken {
			out[i] = GeneratedToken{Text: placeholderToken, Start: t.Start, End: t.End, Masked: true}
		}
	}
	return out, nil
}

// answers writes all of them at once; they share the model's steps.
func (s *session) answers(ctx context.Context, threads int) ([]GeneratedText, error) {
	n := s.r.BestOf
	if s.r.Beams > 1 {
		n = 1
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lists, errs := make([][]GeneratedText, n), make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if lists[i], errs[i] = s.one(ctx, i, threads); errs[i] != nil {
				stop() // the others are of no use without it
			}
		})
	}
	group.Wait()
	out := slices.Concat(lists...)
	if s.r.BestOf > s.r.N {
		slices.SortStableFunc(out, func(a, b GeneratedText) int { return cmp.Compare(b.mean(), a.mean()) })
		out = out[:min(s.r.N, len(out))]
	}
	var err error
	for _, e := range errs { // the first that is not of the others' stopping
		if e != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = e
		}
	}
	return out, err
}

// mean is the log-probability of a token of the text.
func (g *GeneratedText) mean() float64 {
	if g.Score != 0 {
		return g.Score
	}
	return g.LogProb / float64(max(len(g.Tokens), 1))
}

// one writes answer number i; beam search gives several.
func (s *session) one(ctx context.Context, i, threads int) ([]GeneratedText, error) {
	allow, broken, err := s.r.allow(s.m, s.form)
	if err != nil {
		return nil, err
	}
	w := s.p.writing
	w.Options, w.Stop = s.r.options(threads), s.r.Stop
	w.Options.Seed, w.Options.Allow = s.seed+uint64(i), allow
	mask := s.w.decision.Obligations.Mask
	v := &veil{mask: mask}
	at := 0
	var emit func(inference.Written) error
	// The best of several is known only at the end.
	if live := s.r.BestOf == s.r.N && s.r.Beams <= 1 && s.sink.Piece != nil; live {
		emit = func(t inference.Written) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			var token *GeneratedToken
			if t.ID >= 0 {
				one := s.spell.token(t, at, s.ends)
				token, at = &one, one.End
			}
			text, tokens := v.add(t.Text, token)
			return s.hand(Piece{Answer: i, Text: text, Tokens: tokens})
		}
	}
	written, err := s.m.Write(ctx, w, emit)
	if why := broken(); why != nil {
		return nil, formatError(why)
	}
	if written == nil && ctx.Err() == nil {
		return nil, err
	}
	return s.settle(i, written, v, emit != nil), err
}

// settle turns what was written into answers, and hands on what was held back.
func (s *session) settle(i int, written *inference.WrittenText, v *veil, live bool) []GeneratedText {
	s.mu.Lock()
	defer s.mu.Unlock()
	seed := s.seed + uint64(i)
	if written == nil || len(written.Answers) == 0 {
		return []GeneratedText{{Finish: FinishCut, Seed: seed, Tokens: []GeneratedToken{}}}
	}
	var out []GeneratedText
	for k, a := range written.Answers {
		g := s.spell.answer(a, seed, s.ends)
		g.mask(s.w.decision.Obligations)
		s.total += len(g.Tokens)
		if live {
			text, tokens := v.close()
			_ = s.hand(Piece{Answer: i + k, Text: text, Tokens: tokens, Finish: g.Finish})
		}
		out = append(out, g)
	}
	if i == 0 {
		s.p.windows = written.Windows
	}
	return out
}

// hand gives a piece to the sink; the caller holds mu.
func (s *session) hand(p Piece) error {
	if s.lost != nil {
		return s.lost
	}
	if p.Text == "" && len(p.Tokens) == 0 && p.Finish == "" {
		return nil
	}
	if err := s.open(); err != nil {
		return err
	}
	p.Tokens = roundTokens(s.w.decision.Obligations, p.Tokens)
	s.lost = s.sink.Piece(p)
	return s.lost
}

// open tells the sink what is being made, once; the caller holds mu, or is alone.
func (s *session) open() error {
	if !s.opened && s.sink.Start != nil {
		s.lost = s.sink.Start(s.begun)
	}
	s.opened = true
	return s.lost
}
