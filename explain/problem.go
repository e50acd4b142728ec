package explain

import (
	"context"
	"fmt"
	"math"
	"slices"

	"vitrine/inference"
)

// Letters for shapes: T tokens, D width of the word embedding, L layers, H heads, C channels, P path points.

// Problem is one window (or one picture) with every choice made: what a method works on.
type Problem struct {
	Engine  Engine
	Info    inference.Info
	Example inference.Example
	Tokens  []inference.Token // per position; empty for images
	Target  inference.Target
	// Targets, where not nil, stand for Target: F is their sum, or with Mean their mean.
	Targets []inference.Target
	Mean    bool
	// Joint makes what a decoder has written so far a part of the differentiated input, behind what the encoder reads.
	Joint    bool
	Baseline Baseline
	Params   map[string]any // resolved, see Method.Resolve
	Threads  int
	Seed     uint64
	// Detail asks for the values before they are reduced over width or channels; only comparisons with reference
	// libraries need them.
	Detail bool
	// Local leaves the factor x-b out of integrated gradients; Given replaces random draws. Both serve comparisons too.
	Local bool
	Given *Given
	// Bare leaves the output at the baseline out (0) where the method does not use it: what other libraries' functions
	// compute, for measuring beside them.
	Bare bool
}

// Baseline stands for "the input without what it says". Text: IDs (same length as the example's), or Embeddings
// (T*D). Images: Pixels (C*H*W). Name is what the record calls it.
type Baseline struct {
	Name       string
	IDs        []int32
	Decoder    []int32 // of a joint problem: what stands for what the decoder has written
	Embeddings []float32
	Pixels     []float32
}

// Attribution is what a method found on one problem. Values has one entry per token, or H*W (grad-cam: the layer's
// height*width) for images; Shape says which.
type Attribution struct {
	Values         []float64
	Shape          []int
	Detail         []float64 // unreduced values where Problem.Detail asks for them
	Output         float64   // F(x)
	BaselineOutput float64   // F(b)
	Layer          string
	Attention      *inference.Tensor // (L,H,T,T)
	Matrix         []float64         // (T,T), rollout and chefer with Problem.Detail
	Across         [][]float64       // chefer on an encoder-decoder with Problem.Detail: R_ss, R_tt, R_ts, the row of R_tt
	Weights        []float64         // one per channel: class-activation methods that weigh channels
	Grid           *Grid             // methods on inner values: layer by layer
	Flips          []Flip            // counterfactuals: changes that were tried and turned the answer
	Groups         []float64         // perturbation methods: one share per group
	SampleDeltas   []float64         // gradient SHAP and DeepLIFT SHAP with Problem.Detail: the delta of each sample
	Companion      []float64         // gradient-weighted view beside raw attention
	Warnings       []string
}

// Delta is the sum of the values less F(x) - F(b): 0 where the attribution is complete.
func (a *Attribution) Delta() float64 {
	return sum(a.Values) - (a.Output - a.BaselineOutput)
}

func sum(values []float64) float64 {
	s := 0.0
	for _, v := range values {
		s += v
	}
	return s
}

func (p *Problem) image() bool { return p.Example.Pixels != nil }

// wrt is the tap of the differentiated input.
func (p *Problem) wrt() string {
	if p.image() {
		return p.Info.Taps.Pixels
	}
	return p.Info.Taps.Embeddings
}

// at gives the example with the differentiated input replaced by point.
func (p *Problem) at(point []float32) inference.Example {
	if p.image() {
		return inference.Example{Pixels: point, Shape: p.Example.Shape}
	}
	x := inference.Example{IDs: p.Example.IDs, Types: p.Example.Types, Decoder: p.Example.Decoder, Embeddings: point}
	if p.Joint {
		s, d := len(p.Example.Decoder), len(point)/(len(p.Example.IDs)+len(p.Example.Decoder))
		cut := len(point) - s*d
		x.Embeddings = point[:cut]
		x.Patch = map[string]inference.Tensor{p.Info.Taps.DecoderEmbeddings: {Shape: []int{s, d}, Data: point[cut:]}}
	}
	return x
}

// inputs are the taps that make up the differentiated input, one behind the other.
func (p *Problem) inputs() []string {
	if p.Joint {
		return []string{p.Info.Taps.Embeddings, p.Info.Taps.DecoderEmbeddings}
	}
	return []string{p.wrt()}
}

// looked is the differentiated input as the model looked it up.
func (p *Problem) looked(r inference.Result) []float32 { return p.joined(r.Taps) }

// slope is the gradient with respect to the differentiated input.
func (p *Problem) slope(r inference.Result) []float32 { return p.joined(r.Grads) }

func (p *Problem) joined(values map[string]inference.Tensor) []float32 {
	inputs := p.inputs()
	if len(inputs) == 1 {
		return values[inputs[0]].Data
	}
	return slices.Concat(values[inputs[0]].Data, values[inputs[1]].Data)
}

// baselineExample is the example at the baseline.
func (p *Problem) baselineExample() inference.Example {
	switch {
	case p.image():
		return p.at(p.Baseline.Pixels)
	case p.Baseline.IDs != nil:
		x := inference.Example{IDs: p.Baseline.IDs, Types: p.Example.Types, Decoder: p.Example.Decoder}
		if p.Joint {
			x.Decoder = p.Baseline.Decoder
		}
		return x
	}
	return p.at(p.Baseline.Embeddings)
}

// run calls the engine with the problem's target.
func (p *Problem) run(ctx context.Context, batch []inference.Example, taps, wrt []string) ([]inference.Result, error) {
	spec := inference.RunSpec{Taps: taps, Wrt: wrt, Threads: p.Threads}
	if spec.Targets = p.Targets; p.Targets == nil {
		target := p.Target
		spec.Target = &target
	}
	out, err := p.Engine.Run(ctx, batch, spec)
	if err != nil {
		return nil, err
	}
	if len(out) != len(batch) {
		return nil, fmt.Errorf("explain: running the model: %d results for %d examples: %w", len(out), len(batch), ErrNumber)
	}
	for i := range out {
		r := &out[i]
		for _, each := range r.Each {
			r.Value += each.Value
		}
		if p.Mean && len(p.Targets) > 0 {
			r.Value /= float64(len(p.Targets))
		}
		if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
			return nil, fmt.Errorf("explain: the model's output is %v, which cannot be explained: %w", r.Value, ErrNumber)
		}
	}
	return out, nil
}

// values runs examples in batches that keep the points under a memory bound, and returns the target's value of each.
func (p *Problem) values(ctx context.Context, batch []inference.Example) ([]float64, error) {
	out := make([]float64, 0, len(batch))
	for chunk := range slices.Chunk(batch, p.chunk()) {
		results, err := p.run(ctx, chunk, nil, nil)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			out = append(out, r.Value)
		}
	}
	return out, nil
}

// chunk is how many examples ride together: as many as hold 4 M input values, at most 64. The engine splits further
// by its own memory estimate; no split changes a bit.
func (p *Problem) chunk() int {
	size := len(p.Example.Pixels)
	if !p.image() {
		size = len(p.Example.IDs) * max(1, p.Info.Hidden)
	}
	return min(64, max(1, 4<<20/max(1, size)))
}

// ends gives the differentiated input and its value at both ends of the path, x first. Where the input is an
// embedding it is looked up by the model. Gradients at the ends come too if gradients is set.
func (p *Problem) ends(ctx context.Context, gradients bool) (x, b []float32, fx, fb inference.Result, err error) {
	var taps, wrt []string
	if !p.image() {
		taps = p.inputs()
	}
	if gradients {
		wrt = p.inputs()
	}
	out, err := p.run(ctx, []inference.Example{p.Example, p.baselineExample()}, taps, wrt)
	if err != nil {
		return nil, nil, fx, fb, err
	}
	if p.image() {
		return p.Example.Pixels, p.Baseline.Pixels, out[0], out[1], nil
	}
	x, b = p.looked(out[0]), p.looked(out[1])
	if len(x) == 0 || len(x) != len(b) {
		return nil, nil, fx, fb, fmt.Errorf("explain: the model gave %d embedding values for the input and %d for the baseline: %w", len(x), len(b), ErrUnsuitable)
	}
	return x, b, out[0], out[1], nil
}

// gradient runs the example once and gives its differentiated input (T*D or C*H*W), the gradient of the target
// with respect to it, and F(x).
func (p *Problem) gradient(ctx context.Context) (x, g []float32, value float64, err error) {
	var taps []string
	if !p.image() {
		taps = p.inputs()
	}
	out, err := p.run(ctx, []inference.Example{p.Example}, taps, p.inputs())
	if err != nil {
		return nil, nil, 0, err
	}
	x = p.Example.Pixels
	if !p.image() {
		x = p.looked(out[0])
	}
	g = p.slope(out[0])
	if len(x) == 0 || len(g) != len(x) {
		return nil, nil, 0, fmt.Errorf("explain: the model gave %d gradients for %d input values: %w", len(g), len(x), ErrUnsuitable)
	}
	return x, g, out[0].Value, nil
}

// baselineValue is F(b), for the record only; 0 where the problem is bare.
func (p *Problem) baselineValue(ctx context.Context) (float64, error) {
	if p.Bare {
		return 0, nil
	}
	out, err := p.values(ctx, []inference.Example{p.baselineExample()})
	if err != nil {
		return 0, err
	}
	return out[0], nil
}

// layout says how the differentiated input falls into units: units tokens or pixels, each with width values;
// value j of unit i lies at index(i,j).
func (p *Problem) layout(n int) (units, width int, index func(unit, j int) int, shape []int) {
	if p.image() {
		c, h, w := p.Example.Shape[0], p.Example.Shape[1], p.Example.Shape[2]
		return h * w, c, func(i, j int) int { return j*h*w + i }, []int{h, w}
	}
	t := len(p.Example.IDs)
	if p.Joint {
		t += len(p.Example.Decoder)
	}
	d := n / t
	return t, d, func(i, j int) int { return i*d + j }, []int{t}
}

// paramString and its like read resolved parameters; a missing one is a programmer error and reads as zero.
func paramString(p map[string]any, name string) string { s, _ := p[name].(string); return s }
func paramInt(p map[string]any, name string) int       { n, _ := p[name].(int); return n }
