package op

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Rule names a set of reverse rules that stand in for ops' own in one run.
type Rule struct {
	Name  string
	Rules map[string]graph.VJP // by op
	// Paired rules compare each example with a reference: the batch holds the examples and then as many references.
	Paired bool
}

// rules are the replacements that a run can ask for.
//
//	guided         what flows back through a ReLU: max(dy,0) where x > 0 (Springenberg et al. 2015)
//	deconvolution  max(dy,0) wherever x is (Zeiler and Fergus 2014)
//	rescale        dy·Δy/Δx, Δ to the reference; where |Δx| < 1e-10 the gradient (DeepLIFT, Shrikumar et al. 2017); a
//	               maximum over a window by cross-maximum, as Captum and SHAP do
var rules = []Rule{
	{Name: "guided", Rules: map[string]graph.VJP{"act": reluRule(true)}},
	{Name: "deconvolution", Rules: map[string]graph.VJP{"act": reluRule(false)}},
	{Name: "rescale", Paired: true, Rules: map[string]graph.VJP{"act": rescaleAct, "max_pool": rescaleMax}},
}

// FindRule resolves a rule by name.
func FindRule(name string) (*Rule, error) {
	var names []string
	for i := range rules {
		if rules[i].Name == name {
			return &rules[i], nil
		}
		names = append(names, rules[i].Name)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("reverse rule %.40q is not one of %v", name, names)
}

// reluRule keeps what is positive of dy; gated also asks the operand to be positive. Other activations keep their own rule.
func reluRule(gated bool) graph.VJP {
	return func(t *graph.Tape, n, dy graph.ID) []graph.ID {
		node := t.G.Nodes[n]
		if node.Attrs.(*Act).Name != "relu" {
			return node.Op.VJP(t, n, dy)
		}
		positive := t.G.Add("act", node.Attrs, "", dy)
		if !gated {
			return []graph.ID{positive}
		}
		return []graph.ID{t.G.Add("act_grad", node.Attrs, "", positive, node.In[0])}
	}
}

func rescaleAct(t *graph.Tape, n, dy graph.ID) []graph.ID {
	node := t.G.Nodes[n]
	own := node.Op.VJP(t, n, dy)
	return []graph.ID{t.G.Add("rescale", nil, "", dy, node.In[0], n, own[0])}
}

func rescaleMax(t *graph.Tape, n, dy graph.ID) []graph.ID {
	node := t.G.Nodes[n]
	own := node.Op.VJP(t, n, dy)
	return []graph.ID{t.G.Add("rescale_max", node.Attrs, "", dy, node.In[0], n, own[0])}
}

// rescaleEps is the difference below which a multiplier is the gradient.
const rescaleEps = 1e-10

// multiplier is num/Δx, or the gradient where Δx is as good as zero.
func multiplier(num, dx, gradient float32) float32 {
	if dx > -rescaleEps && dx < rescaleEps {
		return gradient
	}
	return num / dx
}

func init() {
	// rescale (dy, x, y, g), the examples in the first half of the batch, their references in the second; g is the
	// gradient. Both halves get the examples' multiplier times the examples' dy.
	graph.Register(&graph.Op{
		Name:  "rescale",
		Shape: pairedShape(1, 2, 3),
		Run: func(c *graph.Call) {
			dy, x, y, g := c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].F
			half := len(c.Out) / 2
			overElements(c, half, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					j := half + i
					m := multiplier(float32(dy[i]*(y[i]-y[j])), x[i]-x[j], g[i])
					c.Out[i], c.Out[j] = m, m
				}
			})
		},
		Samples: func(*rand.Rand) []graph.Sample {
			s := []int{4, 3}
			return []graph.Sample{{In: [][]int{s, s, s, s}, Away: 0.1}}
		},
	})
	// rescale_max (dy, x, y, g) spreads dy·(max(y,y₀)-y₀) to the example's maximum and dy·(y-max(y,y₀)) to the
	// reference's, and divides by Δx.
	graph.Register(&graph.Op{
		Name:  "rescale_max",
		Shape: pairedShape(1, 3),
		Run:   runRescaleMax,
		Samples: func(*rand.Rand) []graph.Sample {
			x, y := []int{2, 4, 4, 2}, []int{2, 2, 2, 2}
			return []graph.Sample{{Attrs: &MaxPool{2, 2, 0}, In: [][]int{y, x, y, x}, Away: 0.02}}
		},
	})
}

// pairedShape asks the given operands to have one shape, the result's, and an even batch.
func pairedShape(same ...int) func(any, [][]int) ([]int, error) {
	return func(_ any, in [][]int) ([]int, error) {
		first := in[same[0]]
		for _, i := range same {
			if !equal(in[i], first) || first[0]%2 != 0 {
				return nil, fmt.Errorf("operands %v are not pairs of one shape", in)
			}
		}
		return first, nil
	}
}

func runRescaleMax(c *graph.Call) {
	dy, x, y, g := c.In[0].F, c.In[1].F, c.In[2].F, c.In[3].F
	p := c.Attrs.(*MaxPool).geometry(c.Shape)
	top := scratch(len(y))
	defer release(top)
	index := make([]int32, len(y))
	kernel.MaxPool2D(c.Threads, p, x, *top, index)
	half, images := len(c.Out)/2, c.Shape[0]/2
	clear(c.Out)
	per, window := len(c.Out)/c.Shape[0], len(y)/c.Shape[0]
	for b := range images {
		sum := c.Out[b*per : (b+1)*per]
		for o := range window {
			i, j := b*window+o, (images+b)*window+o
			cross, channel := max(y[i], y[j]), o%p.C
			if at := index[i]; at >= 0 {
				sum[int(at)*p.C+channel] += float32(dy[i] * (cross - y[j]))
			}
			if at := index[j]; at >= 0 {
				sum[int(at)*p.C+channel] += float32(dy[i] * (y[i] - cross))
			}
		}
	}
	for i := range half {
		m := multiplier(c.Out[i], x[i]-x[half+i], g[i])
		c.Out[i], c.Out[half+i] = m, m
	}
}
