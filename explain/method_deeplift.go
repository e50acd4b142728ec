package explain

import (
	"context"
	"fmt"

	"vitrine/inference"
)

// DeepLIFT with the rescale rule (Shrikumar et al. 2017; Captum DeepLift), for chains of convolutions and dense layers: a
// nonlinearity passes on Δout/Δin to the baseline instead of its slope, a maximum over a window by cross-maximum.
// "gradient" keeps a maximum's own gradient, as Captum does where a pooling layer stands directly behind a ReLU.
func init() {
	register(Method{
		ID: "deeplift", Version: "1", Family: "gradient", Modalities: []string{"image"}, Signed: true, Complete: true,
		Params:   append(targetParams(), baselineParam(), poolParam()),
		Suitable: layeredChain,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 2, 2)
		},
		run: func(ctx context.Context, p *Problem) (*Attribution, error) {
			return p.deepLIFT(ctx, [][]float32{p.Baseline.Pixels})
		},
	})
}

func poolParam() Param {
	return Param{Name: "pool", Type: "enum", Default: "cross-maximum", Enum: []string{"cross-maximum", "gradient"}, Help: "explain.param.pool"}
}

// layeredChain is the condition of DeepLIFT: its rule for attention and normalisation does not exist.
func layeredChain(info inference.Info) error {
	if len(info.Taps.Attentions) > 0 {
		return fmt.Errorf("explain: %s multiplies attention with values, for which DeepLIFT has no rule; use integrated gradients: %w", info.Name, ErrUnsuitable)
	}
	return differentiable(info)
}

// deepLIFT averages the attributions over baselines.
func (p *Problem) deepLIFT(ctx context.Context, baselines [][]float32) (*Attribution, error) {
	rule := "rescale"
	if paramString(p.Params, "pool") == "gradient" {
		rule = "rescale-act"
	}
	x := p.Example.Pixels
	tap, target := p.wrt(), p.Target
	values := make([]float64, len(x))
	var deltas []float64
	fx, fb := 0.0, 0.0
	for _, b := range baselines {
		reference := p.at(b)
		out, err := p.Engine.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Target: &target, Wrt: []string{tap}, Rule: rule,
			References: []inference.Example{reference}, Threads: p.Threads})
		if err != nil {
			return nil, err
		}
		base, err := p.values(ctx, []inference.Example{reference})
		if err != nil {
			return nil, err
		}
		total := 0.0
		for i, g := range out[0].Grads[tap].Data {
			v := float64((float64(x[i]) - float64(b[i])) * float64(g))
			values[i] += v / float64(len(baselines))
			total += v
		}
		fx = out[0].Value
		fb += base[0] / float64(len(baselines))
		deltas = append(deltas, total-(out[0].Value-base[0]))
	}
	a := p.reduce(p.inputLayout(len(x)), values, "sum")
	a.Output, a.BaselineOutput = fx, fb
	if p.Detail {
		a.SampleDeltas = deltas
	}
	return a, nil
}
