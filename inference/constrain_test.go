package inference

import (
	"context"
	"encoding/json"
	"testing"

	"vitrine/inference/conformance/chain"
	"vitrine/inference/generate"
	"vitrine/inference/grammar"
)

// TestConstrain: what a model writes under a schema fits it, drawn and searched, although
// the model alone would write something else.
func TestConstrain(t *testing.T) {
	dir := t.TempDir()
	if err := chain.Write(dir); err != nil {
		t.Fatal(err)
	}
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	g, err := grammar.JSON(json.RawMessage(`{"type":"object","properties":{"to":{"enum":["joe@example","漢😀"]},"n":{"type":"integer","minimum":10,"maximum":99}},"required":["to","n"],"additionalProperties":false}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]generate.Options{
		"greedy": {}, "hot": {Temperature: 5, Seed: 3}, "beams": {Beams: 3, Return: 3},
	} {
		c, err := m.Constrain(g)
		if err != nil {
			t.Fatal(err)
		}
		o.Allow, o.MaxNew = c.Allow, 100
		out, err := m.Write(context.Background(), Writing{Text: "Go:", Options: o}, nil)
		if err != nil {
			t.Fatalf("%s: %v %v", name, err, c.Err())
		}
		for _, a := range out.Answers {
			var v struct {
				To string
				N  int
			}
			if err := json.Unmarshal([]byte(a.Text), &v); err != nil || a.End != generate.EndStop || v.To != "joe@example" && v.To != "漢😀" || v.N < 10 || v.N > 99 {
				t.Errorf("%s wrote %q (%s): %v", name, a.Text, a.End, err)
			}
		}
	}
	c, _ := m.Constrain(g)
	out, err := m.Write(context.Background(), Writing{Text: "Go:", Options: generate.Options{Allow: c.Allow, MaxNew: 4}}, nil)
	if err != nil || out.Answers[0].End != generate.EndLength {
		t.Errorf("without room it ended by %v, %v", out, err)
	}
}
