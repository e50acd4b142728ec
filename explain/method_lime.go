package explain

import (
	"context"
	"math"

	"vitrine/explain/metric"
	"vitrine/inference"
)

// LIME (Ribeiro et al. 2016; Captum Lime): groups are switched off at random (each with one half), a linear model of what
// is present is fitted to the outputs, and its coefficients are the values. A sample weighs exp(-d²/(2·width²)), d being
// 1 less the cosine of the mask with the full mask, 1 less the cosine of the inputs, or the distance of the inputs.
func init() {
	register(Method{
		ID: "lime", Version: "1", Family: "perturbation", Modalities: []string{"text", "image"}, Signed: true,
		Params: append(append(targetParams(), baselineParam()), append(groupParams(7), samplesParam(512),
			Param{Name: "similarity", Type: "enum", Default: "mask", Enum: []string{"mask", "cosine", "euclidean"}, Help: "explain.param.similarity"},
			Param{Name: "width", Type: "float", Default: 0.25, Min: bound(1e-6), Max: bound(1e6), Help: "explain.param.width"},
			Param{Name: "surrogate", Type: "enum", Default: "ridge", Enum: []string{"ridge", "lasso", "linear"}, Help: "explain.param.surrogate"},
			Param{Name: "alpha", Type: "float", Default: 1.0, Min: bound(0), Max: bound(1e6), Help: "explain.param.alpha"})...),
		Suitable: anyModel,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			runs := paramInt(params, "samples")
			if m := players(info, tokens, maxFitted, params); m < 16 {
				runs = min(runs, 1<<m)
			}
			return spend(info, tokens, 2+runs, 0)
		},
		run: runLIME,
	})
}

func runLIME(ctx context.Context, p *Problem) (*Attribution, error) {
	g, err := p.newGame(ctx, maxFitted, "choose larger groups")
	if err != nil {
		return nil, err
	}
	full, empty, err := g.ends(ctx)
	if err != nil {
		return nil, err
	}
	sets := make([][]bool, paramInt(p.Params, "samples"))
	if p.Given != nil && p.Given.Masks != nil {
		sets = p.Given.Masks
	} else {
		d := metric.NewDraw(p.Seed, "lime")
		for i := range sets {
			sets[i] = g.none()
			for k := range sets[i] {
				sets[i][k] = d.Below(2) == 1
			}
		}
	}
	values, err := g.values(ctx, sets)
	if err != nil {
		return nil, err
	}
	width, _ := p.Params["width"].(float64)
	weights := make([]float64, len(sets))
	total := 0.0
	for i, set := range sets {
		d := g.distance(set, paramString(p.Params, "similarity"))
		weights[i] = portable(math.Exp(-float64(d*d) / (2 * width * width)))
		total += weights[i]
	}
	if total == 0 { // every sample is too far away: all are as far
		for i := range weights {
			weights[i] = 1
		}
	}
	alpha, _ := p.Params["alpha"].(float64)
	var shares []float64
	switch paramString(p.Params, "surrogate") {
	case "lasso":
		shares = fitLasso(sets, values, weights, alpha)
	case "linear":
		shares, err = fitLinear(sets, values, weights, 0)
	default:
		shares, err = fitLinear(sets, values, weights, alpha)
	}
	if err != nil {
		return nil, err
	}
	return g.attribution(shares, full, empty), nil
}

// portable rounds to 36 bits, so that platforms whose math.Exp differs in the last place agree.
func portable(v float64) float64 {
	mantissa, e := math.Frexp(v)
	return math.Ldexp(math.Round(mantissa*(1<<36))/(1<<36), e)
}

// distance is how far the input with these groups is from the whole input.
func (g *game) distance(set []bool, how string) float64 {
	if how == "mask" {
		return 1 - math.Sqrt(float64(count(set))/float64(len(set)))
	}
	x, y := g.raw(g.p.Example), g.raw(g.example(set))
	dot, xx, yy, dd := 0.0, 0.0, 0.0, 0.0
	for i := range x {
		dot += float64(x[i] * y[i])
		xx += float64(x[i] * x[i])
		yy += float64(y[i] * y[i])
		dd += float64((x[i] - y[i]) * (x[i] - y[i]))
	}
	if how == "euclidean" {
		return math.Sqrt(dd)
	}
	if xx == 0 || yy == 0 {
		return 1
	}
	return 1 - dot/math.Sqrt(float64(xx*yy))
}

// raw is the input as numbers: pixels, embeddings where the baseline is one of them, else ids.
func (g *game) raw(x inference.Example) []float64 {
	switch {
	case x.Pixels != nil:
		return widen(x.Pixels)
	case g.embeddings != nil && x.Embeddings == nil:
		return widen(g.embeddings)
	case x.Embeddings != nil:
		return widen(x.Embeddings)
	}
	out := make([]float64, len(x.IDs))
	for i, id := range x.IDs {
		out[i] = float64(id)
	}
	return out
}
