package explain

import (
	"context"
	"math"
)

// Spread is one method against several baselines: how far the choice of baseline moves each value.
type Spread struct {
	Baselines    []string       `json:"baselines"`
	Explanations []*Explanation `json:"-"`
	Mean         []float64      `json:"mean"` // per token, or per place of the map
	Low          []float64      `json:"low"`
	High         []float64      `json:"high"`
	Deviation    []float64      `json:"deviation"` // standard deviation over the baselines
}

// Against explains an input against each baseline and gives the spread. The class is fixed by the first. Figures are those of
// each explanation. Errors as for Explain.
func Against(ctx context.Context, r Request, baselines []string) (*Spread, error) {
	out := &Spread{Baselines: baselines}
	for _, name := range baselines {
		q := r
		q.Params = map[string]any{}
		for k, v := range r.Params {
			q.Params[k] = v
		}
		q.Params["baseline"] = name
		if len(out.Explanations) > 0 {
			q.Target = targetName(out.Explanations[0].Target)
		}
		e, err := Explain(ctx, q)
		if err != nil {
			return nil, err
		}
		out.Explanations = append(out.Explanations, e)
	}
	for i, e := range out.Explanations {
		values := e.Attributions
		if e.Map != nil {
			values = widen(e.Map.Data)
		}
		if i == 0 {
			n := len(values)
			out.Mean, out.Deviation = make([]float64, n), make([]float64, n)
			out.Low, out.High = append([]float64(nil), values...), append([]float64(nil), values...)
		}
		for k, v := range values {
			out.Mean[k] += v / float64(len(baselines))
			out.Low[k], out.High[k] = min(out.Low[k], v), max(out.High[k], v)
			out.Deviation[k] += float64(v*v) / float64(len(baselines))
		}
	}
	for k, m := range out.Mean {
		out.Deviation[k] = math.Sqrt(max(0, out.Deviation[k]-float64(m*m)))
	}
	return out, nil
}
