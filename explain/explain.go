// Package explain says why a model answered as it did: attribution methods, faithfulness figures and the record
// that makes an explanation repeatable.
//
// An explanation is a pure function of checkpoint, input, method, parameters and seed: it is bit-identical on
// repeat and for any thread count. Sums over a path are float64.
package explain

import (
	"context"
	"encoding/json"
	"errors"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// Every error of this package wraps one of these, an error of package inference, or a context error.
var (
	// ErrUnknownMethod: no method is registered under the id.
	ErrUnknownMethod = errors.New("unknown explanation method")
	// ErrUnsuitable: the method cannot explain this model or this input.
	ErrUnsuitable = errors.New("method does not suit the model")
	// ErrParam: a parameter is unknown, of the wrong type or out of range.
	ErrParam = errors.New("parameter not usable")
	// ErrTarget: the target names no output of the model.
	ErrTarget = errors.New("target not usable")
	// ErrNumber: the model gave a value that is not finite.
	ErrNumber = errors.New("result is not finite")
)

// Engine is the part of *inference.Model that explanations need. Implementations must be safe for use by several
// goroutines and give bits that depend on neither batch nor threads.
type Engine interface {
	Info() inference.Info
	Encode(ctx context.Context, in inference.Input) (*inference.Encoded, error)
	Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error)
}

var _ Engine = (*inference.Model)(nil)

// Request asks for one explanation.
type Request struct {
	Model Engine
	Input inference.Input
	// Continuation, instead of Input, is what a generating model wrote.
	Continuation *Continuation
	Method       string
	Params       map[string]any
	// Target is "" for the predicted class, a label, or an index. Token classification: "TOKEN:LABEL" or
	// "TOKEN:INDEX", where TOKEN counts the positions of the encoded text. Continuation: "" for all words together, or the
	// number of a word, from 0.
	Target string
	// Seed feeds the random control of the faithfulness figures and methods that draw.
	Seed uint64
	// Draws is the number of random attributions each figure is compared with: 0 means DefaultDraws, a negative
	// number leaves all figures out that need further runs of the model.
	Draws int
	// Others are explanations of the same input and target by other methods: the figure of agreement compares with them.
	Others []*Explanation
	// Threads is handed to the engine; it changes no bit.
	Threads int
}

// DefaultDraws is the size of the random control where the request names none.
const DefaultDraws = 24

// Metric is one faithfulness figure with its random control.
type Metric = metric.Figure

// ExplTarget is the scalar that was explained.
type ExplTarget struct {
	Label    string `json:"label"`
	Index    int    `json:"index"`
	Quantity string `json:"quantity"`        // logit | logprob | prob | diff
	Token    *int   `json:"token,omitempty"` // token classification: the position
	Minus    *int   `json:"minus,omitempty"` // quantity diff: the class whose logit is subtracted
	// Words, of a continuation, is how many words were written; Index is then the explained one's number, -1 for all.
	Words int `json:"words,omitempty"`
}

// Window is the explanation of one window of a long text. Start and End count characters; First is the index in
// Explanation.Tokens of the first token of the text that was windowed.
type Window struct {
	Start          int       `json:"start"`
	End            int       `json:"end"`
	First          int       `json:"first"`
	Pair           bool      `json:"pair,omitempty"` // Start and End count characters of the second text
	Count          int       `json:"count"`          // non-special tokens
	Weight         float64   `json:"weight"`         // share in the answer; the weights sum to 1
	Output         float64   `json:"output"`
	BaselineOutput float64   `json:"baseline_output"`
	Delta          float64   `json:"delta"`
	Attributions   []float64 `json:"attributions"` // per token of the window, special tokens included
}

// Companion is a gradient-weighted view shown beside raw attention, which is never shown alone.
type Companion struct {
	Method       string    `json:"method"`
	Attributions []float64 `json:"attributions"`
}

// Explanation is the result for one input. Attributions has one value per token (special tokens included, in the
// order of Tokens), or is empty for images, where Map holds the raw signed map (H,W).
type Explanation struct {
	Method         string            `json:"method"`
	Version        string            `json:"version"`
	Params         map[string]any    `json:"params"` // every parameter, defaults resolved
	Target         ExplTarget        `json:"target"`
	Output         float64           `json:"output"`
	BaselineOutput float64           `json:"baseline_output"`
	Delta          float64           `json:"delta"`
	Gradients      int               `json:"gradients"` // gradients spent, summed over windows
	Forwards       int               `json:"forwards"`  // runs without gradient, figures included
	Baseline       string            `json:"baseline,omitempty"`
	BaselineIDs    []int32           `json:"-"` // of the first window
	Signed         bool              `json:"signed"`
	Tokens         []inference.Token `json:"tokens,omitempty"`
	Attributions   []float64         `json:"-"`
	Map            *inference.Tensor `json:"-"`
	Layer          string            `json:"layer,omitempty"` // grad-cam: the differentiated layer
	Attention      *inference.Tensor `json:"-"`               // attention: (L,H,T,T)
	Companion      *Companion        `json:"companion,omitempty"`
	Grid           *Grid             `json:"grid,omitempty"`  // of the first window
	Flips          []Flip            `json:"flips,omitempty"` // of the first window
	Metrics        []Metric          `json:"metrics"`
	Windows        []Window          `json:"windows,omitempty"`
	Warnings       []string          `json:"warnings,omitempty"` // codes, see warning.go
	Seed           uint64            `json:"seed"`
	Draws          int               `json:"draws"`
	Info           inference.Info    `json:"-"` // the model that was explained
	ImageHeight    int               `json:"-"` // of the normalised picture
	ImageWidth     int               `json:"-"`
	Record         json.RawMessage   `json:"-"` // canonical (RFC 8785), set by Seal
	RecordHash     string            `json:"record_hash,omitempty"`
	Seconds        float64           `json:"seconds"`
}

// Explain runs a method on an input and measures how faithful the result is. Errors wrap ErrUnknownMethod,
// ErrUnsuitable, ErrParam, ErrTarget, ErrNumber, inference.ErrInput or the context's error.
func Explain(ctx context.Context, r Request) (*Explanation, error) {
	return explain(ctx, r)
}
