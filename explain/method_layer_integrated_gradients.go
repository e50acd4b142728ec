package explain

import (
	"context"

	"vitrine/inference"
)

// Layer integrated gradients (Captum LayerIntegratedGradients): integrated gradients on the straight path between a layer's values
// at the baseline and at the input.
func init() {
	register(Method{
		ID: "layer-integrated-gradients", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true, Complete: true,
		Params: layerPath(), Suitable: layered, Cost: layerPathCost, run: runLayerIG,
	})
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
