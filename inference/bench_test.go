package inference

import (
	"context"
	"testing"
)

func openPretrained(tb testing.TB, name string) *Model {
	tb.Helper()
	m, err := Open("pretrained/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func tokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(100 + 37*i)
	}
	ids[0], ids[n-1] = 2, 3
	return ids
}

// BenchmarkForward is sentiment-minilm on 16 tokens.
func BenchmarkForward(b *testing.B) {
	m := openPretrained(b, "sentiment-minilm")
	for b.Loop() {
		if _, err := m.Run(context.Background(), []Example{{IDs: tokens(16)}}, RunSpec{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPath is the gradient at 33 path points of 24 tokens, what adaptive integrated gradients starts with.
func BenchmarkPath(b *testing.B) {
	m := openPretrained(b, "sentiment-minilm")
	ids := tokens(24)
	e, err := m.Run(context.Background(), []Example{{IDs: ids}}, RunSpec{Taps: []string{m.Info().Taps.Embeddings}})
	if err != nil {
		b.Fatal(err)
	}
	words := e[0].Taps[m.Info().Taps.Embeddings].Data
	batch := make([]Example, 33)
	for i := range batch {
		w := make([]float32, len(words))
		for j := range w {
			w[j] = words[j] * float32(i) / 32
		}
		batch[i] = Example{IDs: ids, Embeddings: w}
	}
	for b.Loop() {
		if _, err := m.Run(context.Background(), batch, RunSpec{Target: &Target{Index: []int{1}}, Wrt: []string{m.Info().Taps.Embeddings}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDigit is one forward pass of digits-resnet.
func BenchmarkDigit(b *testing.B) {
	m := openPretrained(b, "digits-resnet")
	px := make([]float32, 28*28)
	for b.Loop() {
		if _, err := m.Run(context.Background(), []Example{{Pixels: px, Shape: []int{1, 28, 28}}}, RunSpec{}); err != nil {
			b.Fatal(err)
		}
	}
}
