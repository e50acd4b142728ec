package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"vitrine/audit"
	"vitrine/inference"
	"vitrine/inference/generate"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// GenerateRequest asks a model to write: to go on from a text, to answer a conversation,
// or, of a model with an encoder, to summarise or translate a text.
type GenerateRequest struct {
	Model string `json:"model"` // name, name@version or digest
	// What is read: exactly one of a text, a conversation, and ids of the model's
	// vocabulary. Special tokens that a text spells are read as such; a message that spells
	// one is refused, since it could end its turn and begin another.
	Text     *string             `json:"text,omitempty"`
	Messages []inference.Message `json:"messages,omitempty"`
	IDs      []int32             `json:"ids,omitempty"`
	Prefix   string              `json:"prefix,omitempty"`   // of a model with an encoder, as "summarize: "
	Language string              `json:"language,omitempty"` // that is written, where a model knows several

	Purpose   string `json:"purpose,omitempty"`    // "" = unspecified
	DataClass string `json:"data_class,omitempty"` // "" = internal
	Subject   string `json:"subject,omitempty"`    // the person concerned; stored as a keyed pseudonym only
	RequestID string `json:"-"`

	// N answers are given (0 = 1), the likeliest per token of BestOf that are written.
	N      int `json:"n,omitempty"`
	BestOf int `json:"best_of,omitempty"`
	// MaxTokens bounds each answer: nil = as many as fit, 0 = none, for ScorePrompt alone.
	MaxTokens *int `json:"max_tokens,omitempty"`
	MinTokens int  `json:"min_tokens,omitempty"`
	// Temperature 0 writes the likeliest token each time. Zeros of the rest leave a rule out.
	Temperature   float64           `json:"temperature,omitempty"`
	TopK          int               `json:"top_k,omitempty"`
	TopP          float64           `json:"top_p,omitempty"`
	MinP          float64           `json:"min_p,omitempty"`
	TypicalP      float64           `json:"typical_p,omitempty"`
	Repetition    float64           `json:"repetition_penalty,omitempty"`
	Frequency     float64           `json:"frequency_penalty,omitempty"`
	Presence      float64           `json:"presence_penalty,omitempty"`
	NoRepeat      int               `json:"no_repeat_ngram,omitempty"`
	Bias          map[int32]float64 `json:"bias,omitempty"` // id → added to its logit
	Beams         int               `json:"beams,omitempty"`
	LengthPenalty float64           `json:"length_penalty,omitempty"`
	// Seed of what is drawn; nil = a random one, which the answer names. Answer i has Seed+i.
	Seed *uint64  `json:"seed,omitempty"`
	Stop []string `json:"stop,omitempty"` // texts that end an answer and are not in it
	// Alternatives is how many of the likeliest tokens stand beside each; at least
	// keptAlternatives are kept.
	Alternatives int `json:"alternatives,omitempty"`
	// ScorePrompt asks for the log-probability of each token of the prompt as well.
	ScorePrompt bool `json:"score_prompt,omitempty"`
	// Format, if not nil, is what the answer must be.
	Format *FormatRequest `json:"format,omitempty"`
	// Explain, if not nil, explains the first answer in the same call, as an event of its own.
	Explain *ExplainRequest `json:"explain,omitempty"`
}

// Bounds of a request.
const (
	maxAnswers       = 16
	keptAlternatives = 5
	maxBias          = 1024
)

// maxWriting is how long one request may write.
const maxWriting = 10 * time.Minute

// maxWriters is how many requests write at a time; they share the steps of a model.
const maxWriters = 64

// Generate walks the whole road for a text that is written: identify, decide, protect,
// write, record, reveal. The answer's pieces go to the sink as they are settled, masked as
// the rule demands; what is returned, kept and committed to is the whole.
//
// Whatever ends an answer early (ctx, an error of the sink, somebody who stops the model)
// leaves a recorded prediction whose answers' Finish is "cut", and comes back as an error
// beside the view.
// Errors: as of Predict, and ErrContext for a prompt that the model cannot hold.
func (a *App) Generate(ctx context.Context, c identity.Caller, r GenerateRequest, sink Sink) (*PredictionView, error) {
	start := time.Now()
	w, err := a.begin(ctx, c, PredictRequest{Model: r.Model, Purpose: r.Purpose, DataClass: r.DataClass, RequestID: r.RequestID, action: policy.Generate, once: r.once()})
	if err != nil {
		return nil, err
	}
	model, err := a.ready(ctx, w, r.Explain, explainableText)
	if err != nil {
		return nil, err
	}
	p, err := a.prompt(w, model, &r)
	if err != nil {
		return nil, a.failed(ctx, w, "protect", err)
	}
	kept := &PredictionView{
		ID: newID(), Receipt: ReceiptView{Event: newID()}, Model: modelRef(w.row), Task: p.task, Input: w.input.kept, Tokens: p.kept,
		Purpose: w.context.Purpose, DataClass: w.context.DataClass, Actor: w.caller.ID, Decision: decisionView(w.decision),
	}
	out, gone, err := a.write(ctx, w, model, p, &r, kept, sink)
	if err != nil {
		return nil, a.failed(ctx, w, "infer", err)
	}
	kept.Output, kept.Windows = *out, p.windows
	kept.Seconds = time.Since(start).Seconds()
	row, err := a.record(context.WithoutCancel(ctx), w, r.Subject, kept)
	if err != nil {
		return nil, err
	}
	view := *kept
	if r.Explain != nil && gone == nil {
		if w.written, err = writtenText(model, &view, 0); err != nil {
			return nil, a.notExplained(ctx, w, row.ID, r.Explain.Method, "explain", err)
		}
		if view.Explanation, err = a.explain(ctx, w, row, model, *r.Explain); err != nil {
			return nil, err
		}
		view.Explanations = []ExplanationBrief{view.Explanation.brief()}
	}
	reveal(w.decision.Obligations, &view)
	return &view, gone
}

// once names what is asked, so that a client that repeats what was refused is known.
func (r *GenerateRequest) once() string {
	raw, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))
}

// check refuses what no model could do, and fills in what zero stands for.
func (r *GenerateRequest) check() error {
	given := 0
	for _, ok := range []bool{r.Text != nil, r.Messages != nil, r.IDs != nil} {
		if ok {
			given++
		}
	}
	r.N = max(r.N, 1)
	if r.BestOf == 0 {
		r.BestOf = r.N
	}
	switch {
	case given != 1:
		return fail(ErrInput, "send a text, a conversation, or ids", "exactly one thing to read is needed, %d came", given)
	case r.N > maxAnswers || r.BestOf > maxAnswers || r.N < 0:
		return fail(ErrInput, "ask for fewer", "%d answers are asked for, at most %d are written", max(r.N, r.BestOf), maxAnswers)
	case r.BestOf < r.N:
		return fail(ErrInput, "make best_of at least n", "the best %d of %d answers cannot be given", r.N, r.BestOf)
	case r.Beams > 1 && r.BestOf > r.Beams:
		return fail(ErrInput, "search with more beams", "%d beams do not give %d answers", r.Beams, r.BestOf)
	case r.MaxTokens != nil && *r.MaxTokens < 0:
		return fail(ErrInput, "send 1 or more", "an answer of %d tokens is asked for", *r.MaxTokens)
	case r.MaxTokens != nil && *r.MaxTokens == 0 && !r.ScorePrompt:
		return fail(ErrInput, "send 1 or more", "an answer of no tokens is asked for")
	case len(r.Bias) > maxBias:
		return fail(ErrInput, "name fewer tokens", "%d tokens have a bias, at most %d may", len(r.Bias), maxBias)
	}
	for id, b := range r.Bias {
		if !(b >= -100 && b <= 100) {
			return fail(ErrInput, "use -100 to 100", "the bias of token %d is out of range", id)
		}
	}
	return nil
}

// options are the request in the engine's terms.
func (r *GenerateRequest) options(threads int) generate.Options {
	o := generate.Options{
		MinNew: r.MinTokens, Temperature: r.Temperature, TopK: r.TopK, TopP: r.TopP, MinP: r.MinP, TypicalP: r.TypicalP,
		Repetition: r.Repetition, Frequency: r.Frequency, Presence: r.Presence, NoRepeat: r.NoRepeat, Penalty: r.LengthPenalty,
		Beams: r.Beams, Alternatives: max(r.Alternatives, keptAlternatives), Threads: threads,
	}
	if r.MaxTokens != nil {
		o.MaxNew = *r.MaxTokens
	}
	if r.Beams > 1 {
		o.Return = r.BestOf
	}
	return o
}

// finish says in the log how a text that was written ended, "cut" where any of several
// did, and how many tokens it has.
func finish(e *audit.Event, v *PredictionView) {
	if len(v.Output.Generated) == 0 {
		return
	}
	e.Codes["finish"] = v.Output.Generated[0].Finish
	for _, g := range v.Output.Generated {
		if g.Finish == FinishCut {
			e.Codes["finish"] = FinishCut
		}
	}
	e.Numbers["generated"] = int64(v.Output.Sampling.Written)
}
