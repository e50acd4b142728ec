package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrExpectation is wrapped by every error about a file of expectations.
var ErrExpectation = errors.New("policy: invalid policy tests")

const (
	// MaxExpectations bounds the tests of one policy.
	MaxExpectations = 10000

	maxExpectationBytes = 16 << 20
)

// Expectation is one test of a policy: given a request, the decision it must
// get. What is empty is not compared.
type Expectation struct {
	Name    string   `json:"name"`
	Request Request  `json:"request"`
	Effect  string   `json:"effect"`           // allow or deny
	Reason  string   `json:"reason,omitempty"` // a reason code of Decision
	Rule    string   `json:"rule,omitempty"`   // id of a rule that must take part
	Mask    []string `json:"mask,omitempty"`   // recognisers whose findings must be masked
	Level   string   `json:"level,omitempty"`  // explanation level
}

// Failure is an expectation that a policy does not meet.
type Failure struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// ReadExpectations reads a JSON array of Expectation, at most 16 MB. Unknown
// members, effects and duplicate names are refused.
func ReadExpectations(r io.Reader) ([]Expectation, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxExpectationBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrExpectation, err)
	}
	if len(data) > maxExpectationBytes {
		return nil, fmt.Errorf("%w: larger than %d MB", ErrExpectation, maxExpectationBytes>>20)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	var out []Expectation
	if err := dec.Decode(&out); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrExpectation, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the array", ErrExpectation)
	}
	if len(out) > MaxExpectations {
		return nil, fmt.Errorf("%w: %d tests are more than %d", ErrExpectation, len(out), MaxExpectations)
	}
	seen := map[string]bool{}
	for i, e := range out {
		switch {
		case e.Name == "" || seen[e.Name]:
			return nil, fmt.Errorf("%w: test %d: the name %s is empty or used twice", ErrExpectation, i+1, quote(e.Name))
		case e.Effect != EffectAllow && e.Effect != EffectDeny:
			return nil, fmt.Errorf("%w: test %s: effect %s: use allow or deny", ErrExpectation, quote(e.Name), quote(e.Effect))
		}
		seen[e.Name] = true
	}
	return out, nil
}

// Expect holds the policy against the expectations and returns those it fails. A
// request without a workspace is asked in the policy's own.
func (s *Snapshot) Expect(list []Expectation) []Failure {
	var out []Failure
	for _, e := range list {
		r := e.Request
		if r.Workspace == "" {
			r.Workspace = s.workspace
		}
		d := s.Decide(r)
		if want, got := e.differs(d); want != "" {
			out = append(out, Failure{Name: e.Name, Want: want, Got: got})
		}
	}
	return out
}

// differs names the first thing in which the decision is not as expected.
func (e Expectation) differs(d Decision) (want, got string) {
	why := d.Reason
	if len(d.RuleIDs) > 0 {
		why += " " + strings.Join(d.RuleIDs, " ")
	}
	switch {
	case d.Effect != e.Effect:
		return e.Effect, d.Effect + " (" + why + ")"
	case e.Reason != "" && d.Reason != e.Reason:
		return "reason " + e.Reason, "reason " + why
	case e.Rule != "" && !slices.Contains(d.RuleIDs, e.Rule):
		return "rule " + e.Rule, why
	case e.Level != "" && d.Obligations.Level() != e.Level:
		return "explanation level " + e.Level, d.Obligations.Level()
	}
	for _, m := range e.Mask {
		if !slices.Contains(d.Obligations.Mask, m) && !slices.Contains(d.Obligations.Mask, MaskAll) {
			return "masked: " + m, "masked: " + strings.Join(d.Obligations.Mask, ", ")
		}
	}
	return "", ""
}
