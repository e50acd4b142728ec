package web

import (
	"math"

	"vitrine/inference"
	"vitrine/web/app"
)

func init() {
	hfRegister("text-classification", hfLabels)
	hfRegister("image-classification", hfLabels)
}

// hfLabel is one row of a classification.
type hfLabel struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
}

// hfScores are the values of function_to_apply: how logits become scores. The
// empty one is what the model's own configuration says.
var hfScores = map[string]func(all []inference.LabelScore, l inference.LabelScore) float64{
	"":        func(_ []inference.LabelScore, l inference.LabelScore) float64 { return l.Score },
	"none":    func(_ []inference.LabelScore, l inference.LabelScore) float64 { return l.Logit },
	"sigmoid": func(_ []inference.LabelScore, l inference.LabelScore) float64 { return 1 / (1 + math.Exp(-l.Logit)) },
	"softmax": softmaxOf,
}

// hfLabels answers classification: nested for texts, because a flat list breaks
// the clients, flat for images.
func hfLabels(p *hfParams) hfAnswer {
	topK, fn := 0, ""
	p.take("top_k", &topK)
	p.take("function_to_apply", &fn)
	score := hfScores[fn]
	if topK < 0 {
		p.complain("top_k is negative", "send 1 or more")
	}
	if score == nil {
		p.complain("function_to_apply has no such value", "use sigmoid, softmax or none")
	}
	return func(v *app.PredictionView) any {
		var out []hfLabel
		for _, l := range v.Output.Labels {
			out = append(out, hfLabel{l.Label, score(v.Output.Labels, l)})
		}
		if topK > 0 && topK < len(out) {
			out = out[:topK]
		}
		if v.Input.Modality == "image" {
			return out
		}
		return [][]hfLabel{out}
	}
}

func softmaxOf(all []inference.LabelScore, l inference.LabelScore) float64 {
	high, sum := math.Inf(-1), 0.0
	for _, o := range all {
		high = max(high, o.Logit)
	}
	for _, o := range all {
		sum += math.Exp(o.Logit - high)
	}
	return math.Exp(l.Logit-high) / sum
}
