package explain

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitrine/inference"
)

// Grad-CAM (Selvaraju et al. 2017): with A a layer's feature maps (C,h,w) and G = dF/dA, the map is
// sum_c mean(G_c) A_c. The raw signed map is stored; ReLU, scaling and upsampling are display.
func init() {
	register(Method{
		ID: "grad-cam", Version: "1", Family: "cam", Modalities: []string{"image"}, Signed: true,
		Params: append(targetParams(), baselineParam(),
			Param{Name: "layer", Type: "string", Default: "last", Help: "explain.param.cam_layer"}),
		Suitable: func(info inference.Info) error {
			if len(info.Taps.Features) == 0 {
				return fmt.Errorf("explain: %s has no feature maps: %w", info.Name, ErrUnsuitable)
			}
			return nil
		},
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 1)
		},
		run: runGradCAM,
	})
}

// featureLayer finds the tap a layer parameter means: "last", "first", a number from 0, or a name, which may also be
// the checkpoint's own name of a layer; known is false where only the engine can tell.
func featureLayer(info inference.Info, layer string) (tap string, known bool) {
	taps := info.Taps.Features
	switch layer {
	case "last":
		return taps[len(taps)-1], true
	case "first":
		return taps[0], true
	}
	if slices.Contains(taps, layer) {
		return layer, true
	}
	if n, err := strconv.Atoi(layer); err == nil && n >= 0 && n < len(taps) {
		return taps[n], true
	}
	return layer, false
}

func runGradCAM(ctx context.Context, p *Problem) (*Attribution, error) {
	tap, known := featureLayer(p.Info, paramString(p.Params, "layer"))
	out, err := p.run(ctx, []inference.Example{p.Example}, []string{tap}, []string{tap})
	if err != nil && !known && ctx.Err() == nil {
		return nil, fmt.Errorf("explain: parameter layer: %q is not a layer of %s (it has %s): %w", clip(tap), p.Info.Name, strings.Join(p.Info.Taps.Features, ", "), ErrParam)
	}
	if err != nil {
		return nil, err
	}
	fb, err := p.baselineValue(ctx)
	if err != nil {
		return nil, err
	}
	maps, grads := out[0].Taps[tap], out[0].Grads[tap]
	if len(maps.Shape) != 3 || len(maps.Data) != maps.Shape[0]*maps.Shape[1]*maps.Shape[2] || len(grads.Data) != len(maps.Data) {
		return nil, fmt.Errorf("explain: layer %s gives values of shape %v where (channels, height, width) is due: %w", tap, maps.Shape, ErrUnsuitable)
	}
	plane := maps.Shape[1] * maps.Shape[2]
	a := &Attribution{Values: make([]float64, plane), Shape: maps.Shape[1:], Output: out[0].Value, BaselineOutput: fb, Layer: tap}
	for c := range maps.Shape[0] {
		w := 0.0
		for i := range plane {
			w += float64(grads.Data[c*plane+i])
		}
		w /= float64(plane)
		for i := range plane {
			a.Values[i] += float64(w * float64(maps.Data[c*plane+i]))
		}
	}
	return a, nil
}
