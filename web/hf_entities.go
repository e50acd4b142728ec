package web

import (
	"slices"

	"vitrine/web/app"
)

func init() { hfRegister("token-classification", hfEntities) }

// hfEntity is one span; positions count characters.
type hfEntity struct {
	Group string  `json:"entity_group"`
	Score float64 `json:"score"`
	Word  string  `json:"word"`
	Start int     `json:"start"`
	End   int     `json:"end"`
}

func hfEntities(p *hfParams) hfAnswer {
	strategy := "simple"
	var ignore []string
	p.take("aggregation_strategy", &strategy)
	p.take("ignore_labels", &ignore)
	if strategy != "simple" {
		p.complain("this aggregation_strategy is not built", "use simple, which is the default")
	}
	return func(v *app.PredictionView) any {
		out := []hfEntity{}
		for _, e := range v.Output.Entities {
			if !slices.Contains(ignore, e.Label) {
				out = append(out, hfEntity{e.Label, e.Score, e.Text, e.Start, e.End})
			}
		}
		return out
	}
}
