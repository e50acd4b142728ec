package explain

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"vitrine/inference"
)

// Param is one parameter of a method, as data: forms, validation, command-line flags, the help page and the record
// are made from it.
type Param struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // int | float | string | bool | enum
	Default any      `json:"default"`
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	Enum    []string `json:"enum,omitempty"`
	Help    string   `json:"help"` // key of the text catalogue: explain.param.NAME
}

// Cost is what an explanation takes, known before it runs. Seconds is an estimate from the model's measured speed,
// or from its number of parameters until it has run once.
type Cost struct {
	Forwards  int     `json:"forwards"`
	Gradients int     `json:"gradients"`
	Seconds   float64 `json:"seconds"`
}

// Method is one attribution method. ID is permanent; Version changes whenever a value of the method may change.
type Method struct {
	ID         string   `json:"id"`
	Version    string   `json:"version"`
	Family     string   `json:"family"` // attention | gradient | perturbation | cam | internal | counterfactual
	Modalities []string `json:"modalities"`
	Params     []Param  `json:"params"`
	Signed     bool     `json:"signed"`   // values below zero mean "speaks against"
	Complete   bool     `json:"complete"` // values sum to the output less the baseline output, up to delta
	// Suitable is nil if the method can explain the model, else an error that wraps ErrUnsuitable and says why.
	Suitable func(inference.Info) error `json:"-"`
	// Cost of one window of the given number of tokens (ignored for images), figures not included.
	Cost func(info inference.Info, tokens int, params map[string]any) Cost `json:"-"`

	// joint: of an encoder-decoder, what it has written so far gets values too. Methods that are not joint explain what the encoder reads.
	joint bool
	run   func(ctx context.Context, p *Problem) (*Attribution, error)
}

var methods = map[string]Method{}

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// register adds a method; each method calls it from init() in its own file.
func register(m Method) {
	switch {
	case !idPattern.MatchString(m.ID), m.Version == "", len(m.Modalities) == 0:
		panic("explain: register: incomplete method " + m.ID)
	case m.Suitable == nil, m.Cost == nil, m.run == nil:
		panic("explain: register: method without function " + m.ID)
	case !slices.Contains([]string{"attention", "gradient", "perturbation", "cam", "internal", "counterfactual"}, m.Family):
		panic("explain: register: unknown family of " + m.ID)
	}
	if _, ok := methods[m.ID]; ok {
		panic("explain: register: duplicate method " + m.ID)
	}
	for _, p := range m.Params {
		if _, err := p.value(p.Default); err != nil {
			panic("explain: register: " + m.ID + ": default of " + p.Name + " is not valid")
		}
	}
	methods[m.ID] = m
}

// Methods lists the registered methods, sorted by id.
func Methods() []Method {
	list := make([]Method, 0, len(methods))
	for _, m := range methods {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Method) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// IDs lists the ids of the registered methods, sorted.
func IDs() []string {
	list := make([]string, 0, len(methods))
	for _, m := range Methods() {
		list = append(list, m.ID)
	}
	return list
}

// Lookup finds a method by id.
func Lookup(id string) (Method, bool) {
	m, ok := methods[id]
	return m, ok
}

// Suited lists the methods that can explain a model, sorted by id.
func Suited(info inference.Info) []Method {
	var list []Method
	for _, m := range Methods() {
		if m.suits(info) == nil {
			list = append(list, m)
		}
	}
	return list
}

// suits checks modality, task and the method's own condition.
func (m Method) suits(info inference.Info) error {
	if !slices.Contains(m.Modalities, info.Modality) {
		return fmt.Errorf("explain: %s works on %v models, %s is one for %s: %w", m.ID, m.Modalities, info.Name, info.Modality, ErrUnsuitable)
	}
	if inference.WritesTexts(info.Task) {
		if err := m.suitsWriting(info); err != nil {
			return err
		}
		return m.Suitable(info)
	}
	switch info.Task {
	case "text-classification", "token-classification", "image-classification", "feature-extraction":
	default:
		return fmt.Errorf("explain: %s explains classifications and embeddings, the task of %s is %q: %w", m.ID, info.Name, info.Task, ErrUnsuitable)
	}
	return m.Suitable(info)
}
