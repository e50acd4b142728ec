package chain

import (
	"context"
	"testing"
	"time"

	"vitrine/inference"
	"vitrine/inference/generate"
)

// TestStory: the model opens as any checkpoint and says what it is meant to.
func TestStory(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir); err != nil {
		t.Fatal(err)
	}
	m, err := inference.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, w := range []inference.Writing{{Text: "Say something:"}, {Messages: []inference.Message{{Role: "user", Content: "Say it."}}}} {
		w.Options, w.Now = generate.Options{MaxNew: 40}, time.Unix(0, 0)
		out, err := m.Write(context.Background(), w, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a := out.Answers[0]; a.Text != Story || a.End != generate.EndStop {
			t.Errorf("%q ended by %s", a.Text, a.End)
		}
	}
}
