package explain

import (
	"context"

	"vitrine/inference"
)

// layerPath are the parameters of a path on a layer or through one.
func layerPath() []Param {
	return append(targetParams(), baselineParam(), layerParam(),
		Param{Name: "rule", Type: "enum", Default: "gausslegendre", Enum: captumRules, Help: "explain.param.rule"},
		Param{Name: "steps", Type: "int", Default: 20, Min: bound(1), Max: bound(300), Help: "explain.param.steps"})
}

// layerPathCost is the cost of such a path.
func layerPathCost(info inference.Info, tokens int, params map[string]any) Cost {
	return spend(info, tokens, 2, paramInt(params, "steps")+1)
}

// atLayer runs the input and the baseline and gives the layer's values, its gradients where asked for, and its layout.
func (p *Problem) atLayer(ctx context.Context, gradients bool) (tap string, ends []inference.Result, l layout, err error) {
	tap, known := layerTap(p.Info, paramString(p.Params, "layer"))
	var wrt []string
	if gradients {
		wrt = []string{tap}
	}
	ends, err = p.run(ctx, []inference.Example{p.Example, p.baselineExample()}, []string{tap}, wrt)
	if err != nil {
		return tap, nil, l, noLayer(ctx, p.Info, tap, known, err)
	}
	l, err = p.layerLayout(ends[0].Taps[tap].Shape)
	return tap, ends, l, err
}

// onLayer completes an attribution to a layer.
func (p *Problem) onLayer(l layout, values []float64, tap string, ends []inference.Result) *Attribution {
	a := p.reduce(l, values, "sum")
	a.Output, a.BaselineOutput, a.Layer = ends[0].Value, ends[1].Value, tap
	return a
}
