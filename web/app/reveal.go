package app

import (
	"encoding/json"
	"math"
	"slices"

	"vitrine/inference"
	"vitrine/policy"
)

// strongest is how many tokens the level "signs" shows.
const strongest = 5

// reveal applies a decision's obligations to a prediction on its way out.
func reveal(o policy.Obligations, v *PredictionView) {
	if o.Round == nil {
		return
	}
	figures := policy.Obligations{Round: o.Round}
	roundGenerated(figures, v)
	v.Output.Labels = slices.Clone(v.Output.Labels)
	for i := range v.Output.Labels {
		l := &v.Output.Labels[i]
		l.Score, l.Logit = figures.Rounded(l.Score), figures.Rounded(l.Logit)
	}
	v.Output.Entities = slices.Clone(v.Output.Entities)
	for i := range v.Output.Entities {
		v.Output.Entities[i].Score = figures.Rounded(v.Output.Entities[i].Score)
	}
	v.Output.Vector = slices.Clone(v.Output.Vector)
	for i, x := range v.Output.Vector {
		v.Output.Vector[i] = float32(figures.Rounded(float64(x)))
	}
}

// revealExplanation applies a decision's obligations to an explanation on its way out.
// What is kept back is named in Withheld.
func revealExplanation(o policy.Obligations, v *ExplanationView) {
	v.Level = o.Level()
	if v.Gate.Held() {
		hold(v)
	}
	switch v.Level {
	case policy.LevelNone:
	case policy.LevelSigns:
		v.Token, v.Map = signs(v.Token), mapSigns(v.Map)
		v.Attention, v.Companion, v.Record, v.Metrics = nil, nil, nil, []MetricView{}
		v.Output, v.BaselineOutput, v.Delta = 0, 0, 0
		for i := range v.Words {
			v.Words[i].Attribution = sign(v.Words[i].Attribution)
		}
		v.Words = onlyShown(v.Words, v.Tokens, v.Token)
		v.Withheld = []string{"attributions", "output", "baseline_output", "delta", "metrics", "record", "attention"}
	default:
		if v.Level == policy.LevelRounded || o.Round != nil {
			roundExplanation(o, v)
			v.Withheld = []string{"record"}
		}
	}
	v.Grid = revealGrid(o, v.Level, v.Grid)
	v.Attributions = attributions(v)
}

func roundExplanation(o policy.Obligations, v *ExplanationView) {
	v.Record = nil
	v.Output, v.BaselineOutput, v.Delta = o.Rounded(v.Output), o.Rounded(v.BaselineOutput), o.Rounded(v.Delta)
	v.Token = rounded(o, v.Token)
	for _, t := range []*inference.Tensor{v.Map, v.Attention} {
		if t != nil {
			for i, x := range t.Data {
				t.Data[i] = float32(o.Rounded(float64(x)))
			}
		}
	}
	if v.Companion != nil {
		v.Companion.Attributions = rounded(o, v.Companion.Attributions)
	}
	for i := range v.Words {
		v.Words[i].Attribution = o.Rounded(v.Words[i].Attribution)
	}
	for i := range v.Metrics {
		m := &v.Metrics[i]
		m.Value, m.Control, m.Low, m.High = o.Rounded(m.Value), o.Rounded(m.Control), o.Rounded(m.Low), o.Rounded(m.High)
		m.Steps = rounded(o, m.Steps)
	}
}

func rounded(o policy.Obligations, list []float64) []float64 {
	out := make([]float64, len(list))
	for i, x := range list {
		out[i] = o.Rounded(x)
	}
	return out
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// signs keeps the signs of the strongest values and makes the rest 0.
func signs(list []float64) []float64 {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch a, b := math.Abs(list[i]), math.Abs(list[j]); {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	out := make([]float64, len(list))
	for _, i := range order[:min(strongest, len(order))] {
		out[i] = sign(list[i])
	}
	return out
}

// mapSigns keeps the sign of every value of at least half the largest.
func mapSigns(m *inference.Tensor) *inference.Tensor {
	if m == nil {
		return nil
	}
	top := 0.0
	for _, x := range m.Data {
		top = max(top, math.Abs(float64(x)))
	}
	out := &inference.Tensor{Shape: m.Shape, Data: make([]float32, len(m.Data))}
	for i, x := range m.Data {
		if x := float64(x); top > 0 && math.Abs(x) >= top/2 {
			out.Data[i] = float32(sign(x))
		}
	}
	return out
}

// onlyShown makes every word 0 that holds no token with a shown sign.
func onlyShown(words []WordView, tokens []inference.Token, values []float64) []WordView {
	for i := range words {
		shown := false
		for j, t := range tokens {
			if j < len(values) && values[j] != 0 && !t.Special && t.Start >= words[i].Start && t.End <= words[i].End {
				shown = true
			}
		}
		if !shown {
			words[i].Attribution = 0
		}
	}
	return words
}

// attributions is the member of that name: one float a token, or nested rows.
func attributions(v *ExplanationView) json.RawMessage {
	var value any = v.Token
	if v.Map != nil {
		h, w := v.Map.Shape[0], v.Map.Shape[1]
		rows := make([][]float32, h)
		for y := range rows {
			rows[y] = v.Map.Data[y*w : (y+1)*w]
		}
		value = rows
	} else if v.Token == nil {
		value = []float64{}
	}
	raw, err := json.Marshal(value)
	if err != nil { // not a number: the methods refuse to give one
		return json.RawMessage("null")
	}
	return raw
}

// stricter is what satisfies the obligations of both decisions about what is read.
func stricter(a, b policy.Obligations) policy.Obligations {
	out := a
	out.Mask = append(slices.Clone(a.Mask), b.Mask...)
	if slices.Index(policy.Levels, b.Level()) < slices.Index(policy.Levels, a.Level()) {
		out.ExplanationLevel = b.ExplanationLevel
	}
	if b.Round != nil && (a.Round == nil || *b.Round < *a.Round) {
		out.Round = b.Round
	}
	return out
}
