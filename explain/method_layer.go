package explain

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference"
)

// Methods on an inner layer. Gradient × activation (Captum LayerGradientXActivation) is a·dF/da; layer integrated
// gradients (LayerIntegratedGradients) integrate on the straight path between the layer's values at the baseline and at
// the input; conductance (Dhamdhere et al. 2018, Captum LayerConductance) follows the layer's values while the input moves.
func init() {
	register(Method{
		ID: "layer-gradient-x-activation", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true,
		Params:   append(targetParams(), baselineParam(), layerParam("last")),
		Suitable: layered,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runLayerGradientXActivation,
	})
	steps := Param{Name: "steps", Type: "int", Default: 20, Min: bound(1), Max: bound(300), Help: "explain.param.steps"}
	rule := Param{Name: "rule", Type: "enum", Default: "gausslegendre", Enum: captumRules, Help: "explain.param.rule"}
	cost := func(info inference.Info, tokens int, params map[string]any) Cost {
		return spend(info, tokens, 2, paramInt(params, "steps")+1)
	}
	register(Method{
		ID: "layer-integrated-gradients", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true, Complete: true,
		Params:   append(targetParams(), baselineParam(), layerParam("last"), rule, steps),
		Suitable: layered, Cost: cost, run: runLayerIG,
	})
	register(Method{
		ID: "layer-conductance", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true,
		Params: append(targetParams(), baselineParam(), layerParam("last"), rule, steps),
		Suitable: func(info inference.Info) error {
			if err := differentiable(info); err != nil {
				return err
			}
			return layered(info)
		},
		Cost: cost, run: runConductance,
	})
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

func runLayerGradientXActivation(ctx context.Context, p *Problem) (*Attribution, error) {
	tap, ends, l, err := p.atLayer(ctx, true)
	if err != nil {
		return nil, err
	}
	x, g := ends[0].Taps[tap].Data, ends[0].Grads[tap].Data
	values := make([]float64, len(x))
	for i := range values {
		values[i] = float64(x[i]) * float64(g[i])
	}
	return p.onLayer(l, values, tap, ends), nil
}

func runLayerIG(ctx context.Context, p *Problem) (*Attribution, error) {
	tap, ends, l, err := p.atLayer(ctx, false)
	if err != nil {
		return nil, err
	}
	rule, err := captumRule(paramString(p.Params, "rule"), paramInt(p.Params, "steps"))
	if err != nil {
		return nil, err
	}
	x, b := ends[0].Taps[tap], ends[1].Taps[tap].Data
	values := make([]float64, len(b))
	for chunk := 0; chunk < len(rule.nodes); chunk += p.chunk() {
		var batch []inference.Example // each starts at the layer: what lies below is not computed
		for _, a := range rule.nodes[chunk:min(chunk+p.chunk(), len(rule.nodes))] {
			point := inference.Tensor{Shape: x.Shape, Data: make([]float32, len(b))}
			for i := range b {
				point.Data[i] = float32(float64(b[i]) + float64(a*(float64(x.Data[i])-float64(b[i]))))
			}
			at := p.Example
			at.Patch = map[string]inference.Tensor{tap: point}
			batch = append(batch, at)
		}
		out, err := p.run(ctx, batch, nil, []string{tap})
		if err != nil {
			return nil, err
		}
		for k, r := range out {
			for i, g := range r.Grads[tap].Data {
				values[i] += float64(float64(rule.weights[chunk+k]*(float64(x.Data[i])-float64(b[i]))) * float64(g))
			}
		}
	}
	return p.onLayer(l, values, tap, ends), nil
}

func runConductance(ctx context.Context, p *Problem) (*Attribution, error) {
	tap, ends, l, err := p.atLayer(ctx, false)
	if err != nil {
		return nil, err
	}
	x, b, _, _, err := p.ends(ctx, false)
	if err != nil {
		return nil, err
	}
	rule, err := captumRule(paramString(p.Params, "rule"), paramInt(p.Params, "steps")+1)
	if err != nil {
		return nil, err
	}
	in := &integral{p: p, x: x, b: b}
	values := make([]float64, len(ends[0].Taps[tap].Data))
	var last, slope []float32 // the layer's values and gradient at the point before
	for chunk := range slices.Chunk(rule.nodes, p.chunk()) {
		batch := make([]inference.Example, len(chunk))
		for i, a := range chunk {
			batch[i] = p.at(in.point(a))
		}
		out, err := p.run(ctx, batch, []string{tap}, []string{tap})
		if err != nil {
			return nil, fmt.Errorf("explain: layer-conductance: %w", err)
		}
		for _, r := range out {
			now := r.Taps[tap].Data
			for i := range last {
				values[i] += float64((float64(now[i]) - float64(last[i])) * float64(slope[i]))
			}
			last, slope = now, r.Grads[tap].Data
		}
	}
	return p.onLayer(l, values, tap, ends), nil
}
