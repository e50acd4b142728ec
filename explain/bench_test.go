package explain

import (
	"context"
	"io/fs"
	"testing"

	"vitrine/inference"
	"vitrine/inference/pretrained"
)

// BenchmarkMethods runs every method on the shipped model that it suits, without figures: go test -bench Methods -cpu 1.
func BenchmarkMethods(b *testing.B) {
	text := inference.Input{Text: "the hotel room was small and noisy but the staff were kind and the breakfast was really good this time"}
	for _, c := range []struct {
		name string
		in   inference.Input
	}{{"sentiment-minilm", text}, {"digits-resnet", inference.Input{}}} {
		fsys, ok := pretrained.FS(c.name)
		if !ok {
			b.Fatal(c.name)
		}
		m, err := inference.OpenFS(fsys, c.name)
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close()
		if c.in.Text == "" {
			raw, err := fs.ReadFile(fsys, "examples/digit-3-1.png")
			if err != nil {
				b.Fatal(err)
			}
			c.in.Image = raw
		}
		for _, method := range Suited(m.Info()) {
			b.Run(method.ID+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					e, err := Explain(context.Background(), Request{Model: m, Input: c.in, Method: method.ID, Draws: -1})
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(e.Gradients), "gradients")
					b.ReportMetric(float64(e.Forwards), "forwards")
				}
			})
		}
	}
}

// BenchmarkCheap answers 24 tokens by every cheap method at once, as a page does that shows them beside a prediction: values alone, with
// the figures of each method's own ranking, and with the whole random control.
func BenchmarkCheap(b *testing.B) {
	fsys, _ := pretrained.FS("sentiment-minilm")
	m, err := inference.OpenFS(fsys, "sentiment-minilm")
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	in := inference.Input{Text: "the hotel room was small and noisy but the staff were kind and the breakfast was really good this time"}
	var asks []Ask
	for _, method := range Suited(m.Info()) {
		params, err := method.Resolve(nil)
		if err != nil {
			b.Fatal(err)
		}
		if method.steady(m.Info(), 24, params) {
			asks = append(asks, Ask{Method: method.ID})
		}
	}
	for _, c := range []struct {
		name  string
		draws int
	}{{"values", -1}, {"figures-1", 1}, {"figures-24", DefaultDraws}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				for i, a := range Each(context.Background(), Request{Model: m, Input: in, Draws: c.draws}, asks) {
					if a.Err != nil {
						b.Fatalf("%s: %v", asks[i].Method, a.Err)
					}
				}
			}
			b.ReportMetric(float64(len(asks)), "methods")
		})
	}
}
