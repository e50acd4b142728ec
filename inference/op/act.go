package op

import (
	"fmt"
	"math/rand/v2"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// Act is an activation as checkpoints name it.
type Act struct {
	Name     string
	kernel   kernel.Act // ActNone where no epilogue computes it
	forward  func(dst, src []float32)
	grad     func(dst, dy, v []float32)
	fromY    bool // grad reads the output instead of the input
	kink     bool
	identity bool
}

var acts = map[string]*Act{
	"gelu":      {Name: "gelu", kernel: kernel.ActGELU, forward: kernel.GELU, grad: kernel.GELUGrad},
	"gelu_new":  {Name: "gelu_new", kernel: kernel.ActGELUTanh, forward: kernel.GELUTanh, grad: kernel.GELUTanhGrad},
	"gelu_fast": {Name: "gelu_fast", kernel: kernel.ActGELUTanh, forward: kernel.GELUTanh, grad: kernel.GELUTanhGrad},
	"relu":      {Name: "relu", kernel: kernel.ActReLU, forward: kernel.ReLU, grad: kernel.ReLUGrad, kink: true},
	"silu":      {Name: "silu", kernel: kernel.ActSiLU, forward: kernel.SiLU, grad: kernel.SiLUGrad},
	"tanh":      {Name: "tanh", kernel: kernel.ActTanh, forward: kernel.Tanh, grad: kernel.TanhGrad, fromY: true},
	"sigmoid":   {Name: "sigmoid", forward: kernel.Sigmoid, grad: kernel.SigmoidGrad, fromY: true},
	"identity":  {Name: "identity", identity: true},
}

func init() {
	acts["swish"], acts["linear"] = acts["silu"], acts["identity"]
	acts["gelu_python"], acts["gelu_pytorch_tanh"] = acts["gelu"], acts["gelu_new"]
}

// FindAct resolves an activation by the name a config.json gives (hidden_act).
func FindAct(name string) (*Act, error) {
	if a := acts[name]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("activation %.40q is not supported", name)
}

// AddAct appends the activation to g; the identity adds nothing.
func AddAct(g *graph.Graph, a *Act, name string, x graph.ID) graph.ID {
	if a.identity {
		return x
	}
	return g.Add("act", a, name, x)
}

// act applies an activation elementwise.
func init() {
	graph.Register(&graph.Op{
		Name:    "act",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*Act)
			overElements(c, len(c.Out), func(lo, hi int) { a.forward(c.Out[lo:hi], c.In[0].F[lo:hi]) })
		},
		VJP: func(t *graph.Tape, n, dy graph.ID) []graph.ID {
			node := t.G.Nodes[n]
			v := node.In[0]
			if node.Attrs.(*Act).fromY {
				v = n
			}
			return []graph.ID{t.G.Add("act_grad", node.Attrs, "", dy, v)}
		},
		Samples: actSamples(1),
	})
	graph.Register(&graph.Op{
		Name:    "act_grad",
		Shape:   sameShape,
		InPlace: []int{0},
		Run: func(c *graph.Call) {
			a := c.Attrs.(*Act)
			overElements(c, len(c.Out), func(lo, hi int) {
				a.grad(c.Out[lo:hi], c.In[0].F[lo:hi], c.In[1].F[lo:hi])
			})
		},
		Samples: actSamples(2),
	})
}

func actSamples(operands int) func(*rand.Rand) []graph.Sample {
	return func(*rand.Rand) []graph.Sample {
		var out []graph.Sample
		for _, name := range []string{"gelu", "gelu_new", "relu", "silu", "tanh", "sigmoid"} {
			s := graph.Sample{Attrs: acts[name]}
			for range operands {
				s.In = append(s.In, []int{3, 7})
			}
			if acts[name].kink {
				s.Away = 0.05
			}
			out = append(out, s)
		}
		return out
	}
}
