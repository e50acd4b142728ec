package explain

import (
	"context"
	"fmt"
	"math"
	"slices"

	"vitrine/inference"
)

// Integrated gradients (Sundararajan et al. 2017; Captum IntegratedGradients, for text LayerIntegratedGradients on
// the word embedding): A = (x-b) * sum_k w_k dF/dx(b + a_k (x-b)). Profile "captum" takes one of Captum's rules with a
// fixed number of points, by default Gauss-Legendre with 50 (its "riemann_trapezoid" sums to (n-1)/n by
// construction: it is there for comparison only); "adaptive" refines nested Clenshaw-Curtis rules until the sum and the values stand still.
func init() {
	register(Method{
		ID: "integrated-gradients", Version: "1", Family: "gradient", Modalities: []string{"text", "image"}, Signed: true, Complete: true,
		Params: append(targetParams(), baselineParam(),
			Param{Name: "profile", Type: "enum", Default: "adaptive", Enum: []string{"adaptive", "captum"}, Help: "explain.param.profile"},
			Param{Name: "rule", Type: "enum", Default: "gausslegendre", Enum: captumRules, Help: "explain.param.rule"},
			Param{Name: "steps", Type: "int", Default: 50, Min: bound(1), Max: bound(300), Help: "explain.param.steps"}),
		Suitable: differentiable, joint: true,
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			if paramString(params, "profile") == "captum" {
				return spend(info, tokens, 2, paramInt(params, "steps"))
			}
			return spend(info, tokens, 0, 33) // the usual end; 17 at best, 129 at most
		},
		run: runIntegratedGradients,
	})
}

// WarnNotConverged: the last rule of the path was used up before the values stood still.
const WarnNotConverged = "path-not-converged"

// integral gathers path points. Each point keeps (x-b)*gradient reduced over the width, or unreduced for Detail.
type integral struct {
	p      *Problem
	x, b   []float32
	fx, fb float64
	units  int
	width  int
	index  func(unit, j int) int
	shape  []int
}

func runIntegratedGradients(ctx context.Context, p *Problem) (*Attribution, error) {
	if paramString(p.Params, "profile") == "captum" {
		r, err := captumRule(paramString(p.Params, "rule"), paramInt(p.Params, "steps"))
		if err != nil {
			return nil, err
		}
		return integrateFixed(ctx, p, r)
	}
	return integrateAdaptive(ctx, p)
}

func newIntegral(ctx context.Context, p *Problem, gradients bool) (*integral, []inference.Result, error) {
	x, b, fx, fb, err := p.ends(ctx, gradients)
	if err != nil {
		return nil, nil, err
	}
	in := &integral{p: p, x: x, b: b, fx: fx.Value, fb: fb.Value}
	in.units, in.width, in.index, in.shape = p.layout(len(x))
	return in, []inference.Result{fx, fb}, nil
}

// point is b + a (x-b), computed in float64 with both roundings and stored as float32; the ends are exact.
func (in *integral) point(a float64) []float32 {
	out := make([]float32, len(in.x))
	for i := range out {
		b := float64(in.b[i])
		out[i] = float32(b + float64(a*(float64(in.x[i])-b)))
	}
	return out
}

// product gives (x-b)*g per unit, or per value for Detail.
func (in *integral) product(g []float32) ([]float64, error) {
	if len(g) != len(in.x) {
		return nil, fmt.Errorf("explain: the model gave %d gradients for %d input values: %w", len(g), len(in.x), ErrUnsuitable)
	}
	if in.p.Local {
		return widen(g), nil
	}
	if in.p.Detail {
		out := make([]float64, len(g))
		for i := range out {
			out[i] = float64((float64(in.x[i]) - float64(in.b[i])) * float64(g[i]))
		}
		return out, nil
	}
	out := make([]float64, in.units)
	for i := range out {
		acc := 0.0
		for j := range in.width {
			k := in.index(i, j)
			acc += float64((float64(in.x[k]) - float64(in.b[k])) * float64(g[k]))
		}
		out[i] = acc
	}
	return out, nil
}

// evaluate runs the path at the given positions, in batches.
func (in *integral) evaluate(ctx context.Context, positions []float64) ([][]float64, error) {
	out := make([][]float64, 0, len(positions))
	for chunk := range slices.Chunk(positions, in.p.chunk()) {
		batch := make([]inference.Example, len(chunk))
		for i, a := range chunk {
			batch[i] = in.p.at(in.point(a))
		}
		results, err := in.p.run(ctx, batch, nil, in.p.inputs())
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			prod, err := in.product(in.p.slope(r))
			if err != nil {
				return nil, err
			}
			out = append(out, prod)
		}
	}
	return out, nil
}

// weigh sums products with the weights of a rule; products[k*stride] belongs to node k.
func weigh(products [][]float64, r *rule, stride int) []float64 {
	out := make([]float64, len(products[0]))
	for k, w := range r.weights {
		for i, v := range products[k*stride] {
			out[i] += float64(w * v)
		}
	}
	return out
}

// attribution reduces the integral to units.
func (in *integral) attribution(values []float64) *Attribution {
	a := &Attribution{Values: values, Shape: in.shape, Output: in.fx, BaselineOutput: in.fb}
	if in.p.Detail {
		a.Detail, a.Values = values, make([]float64, in.units)
		for i := range a.Values {
			for j := range in.width {
				a.Values[i] += values[in.index(i, j)]
			}
		}
	}
	return a
}

func integrateFixed(ctx context.Context, p *Problem, r *rule) (*Attribution, error) {
	in, _, err := newIntegral(ctx, p, false)
	if err != nil {
		return nil, err
	}
	products, err := in.evaluate(ctx, r.nodes)
	if err != nil {
		return nil, err
	}
	return in.attribution(weigh(products, r, 1)), nil
}

// integrateAdaptive starts with 17 nodes, the 9-node rule inside them being the first comparison, and doubles up to
// 129. It stops when |delta| <= max(1 % of |F(x)-F(b)|, 1e-4) and the values moved by at most 1 % in L1.
func integrateAdaptive(ctx context.Context, p *Problem) (*Attribution, error) {
	in, ends, err := newIntegral(ctx, p, true)
	if err != nil {
		return nil, err
	}
	n := 16
	products := make([][]float64, n+1)
	for i, end := range []int{n, 0} { // x is node n, the baseline node 0
		if products[end], err = in.product(p.slope(ends[i])); err != nil {
			return nil, err
		}
	}
	if err := in.fill(ctx, products, clenshawCurtis(n)); err != nil {
		return nil, err
	}
	previous := in.attribution(weigh(products, clenshawCurtis(n/2), 2))
	for {
		a := in.attribution(weigh(products, clenshawCurtis(n), 1))
		if settled(a, previous) {
			return a, nil
		}
		if n == 128 {
			a.Warnings = append(a.Warnings, WarnNotConverged)
			return a, nil
		}
		n, previous = 2*n, a
		finer := make([][]float64, n+1)
		for k, v := range products {
			finer[2*k] = v
		}
		products = finer
		if err := in.fill(ctx, products, clenshawCurtis(n)); err != nil {
			return nil, err
		}
	}
}

// fill evaluates the nodes that are still missing.
func (in *integral) fill(ctx context.Context, products [][]float64, r *rule) error {
	var missing []int
	var positions []float64
	for k, v := range products {
		if v == nil {
			missing, positions = append(missing, k), append(positions, r.nodes[k])
		}
	}
	got, err := in.evaluate(ctx, positions)
	if err != nil {
		return err
	}
	for i, k := range missing {
		products[k] = got[i]
	}
	return nil
}

func settled(a, previous *Attribution) bool {
	if math.Abs(a.Delta()) > max(float64(0.01*math.Abs(a.Output-a.BaselineOutput)), 1e-4) {
		return false
	}
	moved, size := 0.0, 0.0
	for i, v := range a.Values {
		moved += math.Abs(v - previous.Values[i])
		size += math.Abs(v)
	}
	return moved <= float64(0.01*size)
}
