package inference

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"vitrine/inference/family"
	"vitrine/inference/generate"
	"vitrine/inference/template"
)

// continuation is what a model that generates keeps beside its network.
type continuation struct {
	once   sync.Once
	engine *generate.Engine
	err    error
	// chat is the checkpoint's template; why there is none is told to whoever chats.
	chat       *template.Template
	chatErr    error
	vocabulary vocabulary
}

// cacheShare is the part of the memory budget that generation may fill with keys and values.
const cacheShare = 2

// generator makes the engine of a generating model when it is first needed.
func (m *Model) generator() (*generate.Engine, error) {
	net, ok := m.net.(family.Generator)
	if !ok {
		return nil, fmt.Errorf("inference: %w: this model does not generate text; choose one of the task text-generation", ErrInput)
	}
	if err := m.digesting.failure(); err != nil {
		return nil, err
	}
	m.continuation.once.Do(func() {
		budget, err := MemoryBudget()
		m.continuation.engine, m.continuation.err = generate.New(net, budget/cacheShare), err
	})
	return m.continuation.engine, m.continuation.err
}

// Continue writes on from ids; see generate.Engine.Generate. Many calls at once share their steps, which changes no bit of a result. Errors wrap ErrInput or
// the context's error.
func (m *Model) Continue(ctx context.Context, p generate.Prompt, o generate.Options, emit func(generate.Token) error) ([]generate.Sequence, error) {
	e, err := m.generator()
	if err != nil {
		return nil, err
	}
	out, err := e.Generate(ctx, p, o, emit)
	return out, generation(err)
}

// Score gives the log-probability of each id of a continuation; see generate.Engine.Score.
func (m *Model) Score(ctx context.Context, p generate.Prompt, continuation []int32, alternatives, threads int) ([]generate.Token, error) {
	e, err := m.generator()
	if err != nil {
		return nil, err
	}
	out, err := e.Score(ctx, p, continuation, alternatives, threads)
	return out, generation(err)
}

// generation puts an error of package generate under one of this package's sentinels.
func generation(err error) error {
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, generate.ErrOptions) || errors.Is(err, generate.ErrContext) || errors.Is(err, generate.ErrMemory):
		return fmt.Errorf("inference: %w: %w", ErrInput, err)
	}
	return fmt.Errorf("inference: %w: %w", ErrModel, err)
}

// Defaults are what a checkpoint says of how it continues a text.
type Defaults struct {
	Start      int32   // what a decoder starts with; of decoder-only models the begin-of-text id, -1 for none
	EOS        []int32 // ids that end an answer
	ForcedLast []int32
	BadWords   [][]int32
	// ForcedFirst is the first id of every answer, nil for none.
	ForcedFirst []int32
}

// Defaults gives the checkpoint's own settings; the zero value where it has none.
func (m *Model) Defaults() Defaults {
	g := m.desc.Generation
	d := Defaults{Start: -1}
	if g == nil {
		return d
	}
	d.EOS, d.ForcedLast, d.BadWords = g.EOS, g.ForcedEOS, g.BadWords
	if g.ForcedBOS != nil {
		d.ForcedFirst = []int32{*g.ForcedBOS}
	}
	switch {
	case m.desc.MaxDecoder > 0:
		d.Start = m.desc.DecoderStart
	case g.BOS != nil:
		d.Start = *g.BOS
	}
	return d
}
