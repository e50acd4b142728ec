package inference

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	m, err := Open("pretrained/sentiment-minilm")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := os.ReadFile("pretrained/sentiment-minilm/golden.json")
	var g struct {
		Cases []struct {
			Name   string
			IDs    []int32   `json:"input_ids"`
			Logits []float64 `json:"logits_float64"`
		}
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		at := time.Now()
		r, err := m.Run(context.Background(), []Example{{IDs: c.IDs}}, RunSpec{})
		if err != nil {
			t.Fatal(err)
		}
		d1 := time.Since(at)
		at = time.Now()
		r2, err := m.Run(context.Background(), []Example{{IDs: c.IDs}}, RunSpec{Taps: m.Info().Taps.Attentions, Target: &Target{}, Wrt: append([]string{m.Info().Taps.Embeddings}, m.Info().Taps.Attentions...)})
		if err != nil {
			t.Fatal(err)
		}
		d2 := time.Since(at)
		worst := 0.0
		for i, v := range r[0].Output.Data {
			worst = max(worst, math.Abs(float64(v)-c.Logits[i]))
			if r2[0].Output.Data[i] != v {
				t.Error("bits differ", v, r2[0].Output.Data[i])
			}
		}
		t.Log(c.Name, len(c.IDs), worst, r[0].Output.Data, d1, d2, CPULevel())
	}
}
