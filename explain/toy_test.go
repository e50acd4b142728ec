package explain

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strings"

	"vitrine/inference"
)

// toy is a small network for tests: it works in float64 and differentiates by central differences, so that what is
// tested is the method and not the engine. A node's value may be overridden, which is how nodes are differentiated.
type toy struct {
	info    inference.Info
	window  int // content tokens per window of a text; 0 = no limit
	forward func(x inference.Example, over map[string][]float64) (logits []float64, taps map[string]toyValue)
	runs    int
}

type toyValue struct {
	shape []int
	data  []float64
}

func (m *toy) Info() inference.Info { return m.info }

// Encode cuts the text at blanks; a word is one token, or several where it holds "-".
func (m *toy) Encode(_ context.Context, in inference.Input) (*inference.Encoded, error) {
	if m.info.Modality == "image" {
		c, h, w := m.info.ImageChannels, m.info.ImageHeight, m.info.ImageWidth
		pixels := make([]float32, c*h*w)
		for i := range pixels {
			pixels[i] = float32(in.Image[i%len(in.Image)])/64 - 1
		}
		return &inference.Encoded{Windows: []inference.Window{{Example: inference.Example{Pixels: pixels, Shape: []int{c, h, w}}}}}, nil
	}
	var tokens []inference.Token
	at := 0
	for w, word := range strings.Split(in.Text, " ") {
		for k, part := range strings.SplitAfter(word, "-") {
			id := int32(4)
			for _, r := range part {
				id = (id*31 + r) % 60
			}
			if k > 0 {
				part = "##" + part
			}
			n := len(strings.TrimPrefix(part, "##"))
			tokens = append(tokens, inference.Token{Text: part, ID: 4 + id, Start: at, End: at + n, Word: w, Index: len(tokens)})
			at += n
		}
		at++
	}
	size := len(tokens)
	if m.window > 0 {
		size = m.window
	}
	out := &inference.Encoded{}
	for first := 0; ; first += size - 1 {
		part := tokens[first:min(first+size, len(tokens))]
		all := append([]inference.Token{{Text: "[CLS]", ID: 1, Special: true, Word: -1, Index: -1}}, part...)
		all = append(all, inference.Token{Text: "[SEP]", ID: 2, Special: true, Word: -1, Index: -1})
		x := inference.Example{Types: make([]int32, len(all))}
		for _, t := range all {
			x.IDs = append(x.IDs, t.ID)
		}
		out.Windows = append(out.Windows, inference.Window{Example: x, Tokens: all, First: first})
		if first+size >= len(tokens) {
			return out, nil
		}
	}
}

func (m *toy) Run(ctx context.Context, batch []inference.Example, spec inference.RunSpec) ([]inference.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.runs++
	var out []inference.Result
	for _, x := range batch {
		patch := map[string][]float64{}
		for name, t := range spec.Patch {
			patch[name] = widen(t.Data)
		}
		for name, t := range x.Patch {
			patch[name] = widen(t.Data)
		}
		logits, taps := m.forward(x, patch)
		r := inference.Result{Output: inference.Tensor{Shape: []int{len(logits)}, Data: narrow(logits)}, Taps: map[string]inference.Tensor{}, Grads: map[string]inference.Tensor{}}
		for _, name := range spec.Taps {
			v, ok := taps[name]
			if !ok {
				return nil, fmt.Errorf("toy: no tap %s", name)
			}
			r.Taps[name] = inference.Tensor{Shape: v.shape, Data: narrow(v.data)}
		}
		if spec.Target != nil {
			r.Value = toyTarget(logits, *spec.Target)
		}
		for _, name := range spec.Wrt {
			v, ok := taps[name]
			if !ok {
				return nil, fmt.Errorf("toy: no tap %s", name)
			}
			g := make([]float64, len(v.data))
			for i := range g {
				const h = 1e-6
				at := func(d float64) float64 {
					moved := append([]float64(nil), v.data...)
					moved[i] += d
					over := maps.Clone(patch)
					over[name] = moved
					l, _ := m.forward(x, over)
					return toyTarget(l, *spec.Target)
				}
				g[i] = (at(h) - at(-h)) / (2 * h)
			}
			r.Grads[name] = inference.Tensor{Shape: v.shape, Data: narrow(g)}
		}
		out = append(out, r)
	}
	return out, nil
}

// Word and WordEmbeddings make a vocabulary of 64 ids that a person could read.
func (m *toy) Word(id int32) (string, bool) {
	return "word" + string(rune('a'+id%26)) + string(rune('a'+id/26)), id >= 4
}

func (m *toy) WordEmbeddings() (inference.Tensor, bool) {
	t := inference.Tensor{Shape: []int{64, 4}, Data: make([]float32, 64*4)}
	for i := range t.Data {
		t.Data[i] = float32(wave(i/4, i%4))
	}
	return t, m.info.Modality == "text"
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(v[i])
	}
	return out
}

func toyTarget(logits []float64, t inference.Target) float64 {
	norm := 0.0
	for _, v := range logits {
		norm += math.Exp(v)
	}
	v := logits[t.Index[0]]
	switch t.Quantity {
	case "prob":
		return math.Exp(v) / norm
	case "logprob":
		return v - math.Log(norm)
	case "diff":
		return v - logits[t.Minus[0]]
	}
	return v
}

// wave is a fixed, reproducible "random" weight in [-1,1].
func wave(tag, i int) float64 {
	if i < len(waves[0]) && tag < len(waves) {
		return waves[tag][i]
	}
	return math.Sin(float64(tag)*12.9898 + float64(i)*78.233)
}

// waves holds the values that the toys ask for over and over.
var waves = func() (table [1100][32]float64) {
	for tag := range table {
		for i := range table[tag] {
			table[tag][i] = math.Sin(float64(tag)*12.9898 + float64(i)*78.233)
		}
	}
	return table
}()

// toyText: T tokens of width 4, two layers of two attention heads whose scores come from the positions, a tanh
// readout of every token.
func toyText() *toy {
	const d, layers, nheads, classes = 4, 2, 2, 3
	m := &toy{info: inference.Info{Name: "toy-text", Family: "toy", Architecture: "Toy", Task: "text-classification", Modality: "text",
		Labels: []string{"bad", "so-so", "good"}, Digest: "toy-text", Parameters: 100, Layers: layers, Heads: nheads, Hidden: d, MaxTokens: 64,
		Taps:       inference.Taps{Embeddings: "embeddings.word", Attentions: []string{"attentions.0", "attentions.1"}, Hidden: []string{"hidden_states.0", "hidden_states.1", "hidden_states.2"}},
		SpecialIDs: inference.SpecialIDs{Pad: 0, Unk: -1, CLS: 1, Sep: 2, Mask: 3}}}
	m.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		t := len(x.IDs)
		taps := map[string]toyValue{}
		node := func(name string, shape []int, data []float64) []float64 {
			if o, ok := over[name]; ok {
				data = o
			}
			taps[name] = toyValue{shape, data}
			return data
		}
		e := make([]float64, t*d)
		for i := range e {
			e[i] = float64(float32(wave(int(x.IDs[i/d]), i%d)))
			if x.Embeddings != nil {
				e[i] = float64(x.Embeddings[i])
			}
		}
		e = node("embeddings.word", []int{t, d}, e)
		h := make([]float64, t*d)
		for i := range h {
			h[i] = e[i] + 0.3*wave(1000+i/d, i%d)
		}
		h = node("hidden_states.0", []int{t, d}, h)
		for l := range layers {
			a := make([]float64, nheads*t*t)
			for k := range nheads {
				for i := range t {
					sum := 0.0
					for j := range t {
						s := 0.0
						for c := range d {
							s += h[i*d+c] * h[j*d+(c+k+1)%d]
						}
						a[(k*t+i)*t+j] = math.Exp(s)
						sum += math.Exp(s)
					}
					for j := range t {
						a[(k*t+i)*t+j] /= sum
					}
				}
			}
			a = node(fmt.Sprintf("attentions.%d", l), []int{nheads, t, t}, a)
			next := make([]float64, t*d)
			for i := range t {
				for c := range d {
					v := h[i*d+c]
					for k := range nheads {
						for j := range t {
							v += a[(k*t+i)*t+j] * h[j*d+c] * wave(300+l, k*d+c)
						}
					}
					next[i*d+c] = math.Tanh(v)
				}
			}
			h = node(fmt.Sprintf("hidden_states.%d", l+1), []int{t, d}, next)
		}
		logits := make([]float64, classes)
		for k := range logits {
			for c := range d {
				logits[k] += 2 * h[c] * wave(50, k*d+c)
				for i := range t {
					logits[k] += h[i*d+c] * wave(60, k*d+c) / 2
				}
			}
		}
		return logits, taps
	}
	return m
}

// toyImage: (1,8,8) pixels, two feature maps of 4x4, a readout with a smooth square.
func toyImage() *toy {
	m := &toy{info: inference.Info{Name: "toy-image", Family: "toy", Architecture: "Toy", Task: "image-classification", Modality: "image",
		Labels: []string{"0", "1", "2"}, Digest: "toy-image", Parameters: 100, ImageChannels: 1, ImageHeight: 8, ImageWidth: 8,
		Taps: inference.Taps{Pixels: "pixels", Features: []string{"features.0"}}, SpecialIDs: inference.SpecialIDs{Pad: -1, Unk: -1, CLS: -1, Sep: -1, Mask: -1}}}
	m.forward = func(x inference.Example, over map[string][]float64) ([]float64, map[string]toyValue) {
		pixels := widen(x.Pixels)
		if o, ok := over["pixels"]; ok {
			pixels = o
		}
		f := make([]float64, 2*16)
		for c := range 2 {
			for i := range 16 {
				y, col := i/4*2, i%4*2
				v := 0.0
				for k := range 4 {
					v += pixels[(y+k/2)*8+col+k%2] * wave(10+c, k)
				}
				f[c*16+i] = math.Tanh(v)
			}
		}
		taps := map[string]toyValue{"pixels": {[]int{1, 8, 8}, pixels}}
		if o, ok := over["features.0"]; ok {
			f = o
		}
		taps["features.0"] = toyValue{[]int{2, 4, 4}, f}
		logits := make([]float64, 3)
		for k := range logits {
			for i, v := range f {
				logits[k] += v*wave(20+k, i) + v*v*wave(30+k, i)/4
			}
		}
		return logits, taps
	}
	return m
}
