package policy

import (
	"errors"
	"strings"
	"testing"
)

func TestExpectations(t *testing.T) {
	s := compileDefault(t)
	list, err := ReadExpectations(strings.NewReader(`[
		{"name": "analysts predict", "request": {"subject": {"id": "user:x", "roles": ["analyst"]}, "action": "predict", "object": "model:m", "context": {"purpose": "audit"}},
		 "effect": "allow", "reason": "allowed-by-rule", "mask": ["email"], "level": "full"},
		{"name": "not for credit scoring", "request": {"subject": {"id": "user:x", "roles": ["analyst"]}, "action": "predict", "object": "model:m", "context": {"purpose": "credit-scoring"}},
		 "effect": "deny", "reason": "denied-by-rule", "rule": "r-901"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if bad := s.Expect(list); len(bad) > 0 {
		t.Errorf("failures %+v", bad)
	}
	wrong := func(change func(*Expectation)) Expectation {
		e := list[0]
		change(&e)
		return e
	}
	for want, e := range map[string]Expectation{
		"deny":                    wrong(func(e *Expectation) { e.Effect = EffectDeny }),
		"reason denied-by-rule":   wrong(func(e *Expectation) { e.Reason = ReasonDenied }),
		"rule r-901":              wrong(func(e *Expectation) { e.Rule = "r-901" }),
		"explanation level signs": wrong(func(e *Expectation) { e.Level = LevelSigns }),
		"masked: iban":            wrong(func(e *Expectation) { e.Mask = []string{"iban"} }),
	} {
		bad := s.Expect([]Expectation{list[1], e})
		if len(bad) != 1 || bad[0].Want != want {
			t.Errorf("want one failure %q, got %+v", want, bad)
		}
	}
	for _, text := range []string{`{}`, `[{"name":"a","effect":"maybe"}]`, `[{"name":"","effect":"deny"}]`, `[{"name":"a","effect":"deny"},{"name":"a","effect":"deny"}]`, `[] []`, `[{"naem":"a"}]`} {
		if _, err := ReadExpectations(strings.NewReader(text)); !errors.Is(err, ErrExpectation) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
