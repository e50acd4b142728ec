package explain

import (
	"context"
	"fmt"

	"vitrine/inference"
)

// Guided Grad-CAM (Selvaraju et al. 2017; Captum GuidedGradCam): guided backpropagation times the positive part of
// Grad-CAM, enlarged to the picture by repeating values.
func init() {
	register(Method{
		ID: "guided-grad-cam", Version: "1", Family: "cam", Modalities: []string{"image"}, Signed: true,
		Params: camParams(),
		Suitable: func(info inference.Info) error {
			if err := rectified(info); err != nil {
				return err
			}
			return mapped(info)
		},
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 2, 3)
		},
		run: runGuidedGradCAM,
	})
}

func runGuidedGradCAM(ctx context.Context, p *Problem) (*Attribution, error) {
	m, err := p.featureMaps(ctx, true)
	if err != nil {
		return nil, err
	}
	g, fx, fb, err := p.ruledGradient(ctx, "guided")
	if err != nil {
		return nil, fmt.Errorf("explain: guided-grad-cam: %w", err)
	}
	cam := m.weighed(m.gradientMeans())
	l := p.inputLayout(len(g))
	h, w := l.shape[0], l.shape[1]
	values := make([]float64, len(g))
	for i := range l.units {
		v := max(cam.Values[i/w*cam.Shape[0]/h*cam.Shape[1]+i%w*cam.Shape[1]/w], 0)
		for j := range l.width {
			values[l.index(i, j)] = float64(v * float64(g[l.index(i, j)]))
		}
	}
	a := p.reduce(l, values, "sum")
	a.Output, a.BaselineOutput, a.Layer, a.Warnings = fx, fb, m.tap, []string{WarnRandomisation}
	return a, nil
}
