package explain

import (
	"fmt"
	"math"
	"slices"

	"vitrine/inference"
)

// baselineParam chooses the baseline: "auto" is pad for texts and zero for images.
func baselineParam() Param {
	return Param{Name: "baseline", Type: "enum", Default: "auto",
		Enum: []string{"auto", "pad", "mask", "zero", "blur", "mean"}, Help: "explain.param.baseline"}
}

// chooseBaseline makes the baseline of one window. Text: every id except special tokens becomes PAD or MASK, or the
// word embedding becomes zero; positions and types stay. Images: zero after normalisation, the blurred picture, or
// the mean of each channel.
func chooseBaseline(info inference.Info, w inference.Window, name string) (Baseline, error) {
	if info.Modality == "image" {
		return imageBaseline(w.Example, name)
	}
	if name == "auto" {
		name = "pad"
		if info.SpecialIDs.Pad < 0 {
			name = "mask"
		}
		if name == "mask" && info.SpecialIDs.Mask < 0 {
			name = "zero"
		}
	}
	id := int32(-1)
	switch name {
	case "pad":
		id = info.SpecialIDs.Pad
	case "mask":
		id = info.SpecialIDs.Mask
	case "zero":
		return Baseline{Name: "zero"}, nil // needs the model's embeddings: see zeroEmbeddings
	default:
		return Baseline{}, fmt.Errorf("explain: parameter baseline: %q is for images; texts take pad, mask or zero: %w", name, ErrParam)
	}
	if id < 0 {
		return Baseline{}, fmt.Errorf("explain: parameter baseline: the tokenizer of %s has no %s token: %w", info.Name, name, ErrParam)
	}
	return Baseline{Name: name, IDs: replaced(w, id)}, nil
}

// same says whether every window's baseline is its input: then no method has a difference to divide.
func (j *job) same() bool {
	for _, w := range j.windows {
		if p := w.problem; p != nil && !(p.image() && slices.Equal(p.Baseline.Pixels, p.Example.Pixels) ||
			!p.image() && p.Baseline.IDs != nil && slices.Equal(p.Baseline.IDs, p.Example.IDs)) {
			return false
		}
	}
	return true
}

// replaced gives the ids with every non-special token changed to id.
func replaced(w inference.Window, id int32) []int32 {
	ids := slices.Clone(w.Example.IDs)
	for i, t := range w.Tokens {
		if !t.Special {
			ids[i] = id
		}
	}
	return ids
}

// zeroEmbeddings makes the zero-embedding baseline from looked-up embeddings (T*D): special tokens keep theirs.
func zeroEmbeddings(w inference.Window, embeddings []float32) []float32 {
	out := slices.Clone(embeddings)
	d := len(out) / max(1, len(w.Tokens))
	for i, t := range w.Tokens {
		if !t.Special {
			clear(out[i*d : (i+1)*d])
		}
	}
	return out
}

func imageBaseline(x inference.Example, name string) (Baseline, error) {
	switch name {
	case "auto", "zero":
		return Baseline{Name: "zero", Pixels: make([]float32, len(x.Pixels))}, nil
	case "blur":
		return Baseline{Name: "blur", Pixels: Blurred(x)}, nil
	case "mean":
		return Baseline{Name: "mean", Pixels: channelMeans(x)}, nil
	}
	return Baseline{}, fmt.Errorf("explain: parameter baseline: %q is for texts; images take zero, blur or mean: %w", name, ErrParam)
}

func channelMeans(x inference.Example) []float32 {
	plane := x.Shape[1] * x.Shape[2]
	out := make([]float32, len(x.Pixels))
	for c := range x.Shape[0] {
		s := 0.0
		for _, v := range x.Pixels[c*plane : (c+1)*plane] {
			s += float64(v)
		}
		mean := float32(s / float64(plane))
		for i := range plane {
			out[c*plane+i] = mean
		}
	}
	return out
}

// blurKernel is a Gaussian of standard deviation 5 on 11 points, normalised. The exponentials are rounded to 30
// bits first, so that platforms whose math.Exp differs in the last place agree.
func blurKernel() [11]float64 {
	var k [11]float64
	total := 0.0
	for i := range k {
		d := float64(i - 5)
		k[i] = math.Round(math.Exp(-float64(d*d)/50)*(1<<30)) / (1 << 30)
		total += k[i]
	}
	for i := range k {
		k[i] /= total
	}
	return k
}

// Blurred convolves each channel with the 11x11 Gaussian, zeros outside, as the RISE reference code does.
func Blurred(x inference.Example) []float32 {
	h, w := x.Shape[1], x.Shape[2]
	k := blurKernel()
	out := make([]float32, len(x.Pixels))
	rows := make([]float64, h*w)
	for c := range x.Shape[0] {
		plane := x.Pixels[c*h*w : (c+1)*h*w]
		for y := range h {
			for col := range w {
				acc := 0.0
				for i, weight := range k {
					if s := col + i - 5; s >= 0 && s < w {
						acc += float64(weight * float64(plane[y*w+s]))
					}
				}
				rows[y*w+col] = acc
			}
		}
		for y := range h {
			for col := range w {
				acc := 0.0
				for i, weight := range k {
					if s := y + i - 5; s >= 0 && s < h {
						acc += float64(weight * rows[s*w+col])
					}
				}
				out[c*h*w+y*w+col] = float32(acc)
			}
		}
	}
	return out
}
