package explain

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference"
)

// WarnRandomisation: the method fails the parameter-randomisation test (Adebayo et al. 2018; Nie et al. 2018).
const WarnRandomisation = "randomisation"

// Guided backpropagation (Springenberg et al. 2015; Captum GuidedBackprop): the gradient, of which every ReLU lets only
// what is positive pass. The picture looks sharp and hardly depends on the model: it always comes with a warning.
func init() {
	register(Method{
		ID: "guided-backprop", Version: "1", Family: "gradient", Modalities: []string{"image"}, Signed: true,
		Params:   append(targetParams(), baselineParam()),
		Suitable: rectified,
		Cost: func(info inference.Info, tokens int, _ map[string]any) Cost {
			return spend(info, tokens, 1, 2)
		},
		run: func(ctx context.Context, p *Problem) (*Attribution, error) { return p.ruled(ctx, "guided") },
	})
}

// rectified is the condition of methods that change how ReLUs pass a gradient on; whether the model has any shows when
// it runs.
func rectified(info inference.Info) error {
	if len(info.Taps.Attentions) > 0 {
		return fmt.Errorf("explain: %s is a transformer, whose activations are not ReLU: %w", info.Name, ErrUnsuitable)
	}
	return differentiable(info)
}

// ruledGradient is the gradient under a reverse rule, with F(x) and F(b). A model in which the rule changes nothing
// has no ReLU.
func (p *Problem) ruledGradient(ctx context.Context, rule string) (g []float32, fx, fb float64, err error) {
	_, plain, fx, err := p.gradient(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	if fb, err = p.baselineValue(ctx); err != nil {
		return nil, 0, 0, err
	}
	target := p.Target
	tap := p.wrt()
	out, err := p.Engine.Run(ctx, []inference.Example{p.Example}, inference.RunSpec{Target: &target, Wrt: []string{tap}, Rule: rule, Threads: p.Threads})
	if err != nil {
		return nil, 0, 0, err
	}
	g = out[0].Grads[tap].Data
	if slices.Equal(g, plain) && slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
		return nil, 0, 0, fmt.Errorf("explain: %s has no ReLU, for which alone the rule %q is defined: %w", p.Info.Name, rule, ErrUnsuitable)
	}
	return g, fx, fb, nil
}

func (p *Problem) ruled(ctx context.Context, rule string) (*Attribution, error) {
	g, fx, fb, err := p.ruledGradient(ctx, rule)
	if err != nil {
		return nil, err
	}
	a := p.reduce(p.inputLayout(len(g)), widen(g), "sum")
	a.Output, a.BaselineOutput, a.Warnings = fx, fb, []string{WarnRandomisation}
	return a, nil
}
