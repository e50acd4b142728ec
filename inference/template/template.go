// Package template renders chat templates: the part of Jinja that published templates use, as transformers sets it up
// (trim_blocks, lstrip_blocks, loop controls, an immutable sandbox). Output equals that of jinja2 3.1; what is not run
// is refused by name when the template is parsed, never skipped.
//
// A template comes with a checkpoint and is hostile input: its size, depth, steps and output are bounded, it reaches
// nothing but the values it is given, and it cannot change them.
package template

import (
	"errors"
	"fmt"
	"time"
)

// Errors callers tell apart. Everything that Parse and Render return wraps one.
var (
	// ErrSyntax: the template is damaged.
	ErrSyntax = errors.New("chat template is not usable")
	// ErrUnsupported: the template uses a part of Jinja that is not run; the message names it.
	ErrUnsupported = errors.New("unsupported chat template")
	// ErrRender: the template and what it is given do not go together; RaisedError is the template's own refusal.
	ErrRender = errors.New("chat template failed")
	// ErrBounds: the template takes too many steps or makes too long a text.
	ErrBounds = errors.New("chat template exceeds its bounds")
)

// RaisedError is what a template says with raise_exception: a conversation that the model does not know, such as two
// messages of one role in a row. It wraps ErrRender.
type RaisedError struct{ Message string }

func (e *RaisedError) Error() string { return fmt.Sprintf("chat template refuses: %.500s", e.Message) }

// Unwrap is ErrRender.
func (e *RaisedError) Unwrap() error { return ErrRender }

// Bounds of a template and of one rendering.
const (
	maxSource = 1 << 20
	maxDepth  = 64
	maxSteps  = 1_000_000
	maxBytes  = 64 << 20 // all texts and lists made on the way
	maxOutput = 16 << 20
)

// Template is safe for concurrent use.
type Template struct {
	body   []stmt
	source string
}

// Source is the template as it was published.
func (t *Template) Source() string { return t.source }

// Parse reads a template.
func Parse(source string) (*Template, error) {
	body, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return &Template{body, source}, nil
}

// Chat is a conversation to be written the way a model expects it. Messages and tools are JSON values as Decode gives
// them; further variables of the template go into Extra.
type Chat struct {
	Messages            any
	Tools               any // nil: none
	AddGenerationPrompt bool
	BOS, EOS            string
	Extra               map[string]any
	Now                 time.Time // what strftime_now shows
}

// Render writes a conversation.
func (t *Template) Render(c Chat) (string, error) {
	vars := map[string]any{"messages": c.Messages, "tools": c.Tools, "documents": nil, "add_generation_prompt": c.AddGenerationPrompt,
		"bos_token": c.BOS, "eos_token": c.EOS}
	for k, v := range c.Extra {
		vars[k] = v
	}
	return t.render(vars, c.Now)
}

// failure is an error on its way to render.
type failure struct{ err error }

func (t *Template) render(vars map[string]any, now time.Time) (out string, err error) {
	r := &run{now: now}
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			out, err = "", fmt.Errorf("template: %w", f.err)
		}
	}()
	root := &scope{vars: map[string]any{}}
	for k, v := range vars {
		root.vars[k] = v
	}
	r.root = root
	r.body(t.body, root)
	return string(r.out), nil
}
