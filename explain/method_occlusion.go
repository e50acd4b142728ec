package explain

import (
	"context"
	"fmt"
	"slices"

	"vitrine/inference"
)

// Occlusion (Zeiler & Fergus 2014; Captum Occlusion): a window slides over the input, what it covers becomes the
// baseline, and F(x) - F(occluded) is credited to the covered positions; a position covered several times gets the
// mean. The last window is cropped at the edge. Text: windows of tokens; images: square windows over all channels at
// once, or over each channel by itself, whose values are then summed.
func init() {
	register(Method{
		ID: "occlusion", Version: "1", Family: "perturbation", Modalities: []string{"text", "image"}, Signed: true,
		Params: append(targetParams(), baselineParam(),
			Param{Name: "window", Type: "int", Default: 0, Min: bound(0), Max: bound(4096), Help: "explain.param.window"},
			Param{Name: "stride", Type: "int", Default: 0, Min: bound(0), Max: bound(4096), Help: "explain.param.stride"},
			Param{Name: "channels", Type: "enum", Default: "together", Enum: []string{"together", "each"}, Help: "explain.param.channels"}),
		Suitable: func(inference.Info) error { return nil },
		Cost: func(info inference.Info, tokens int, params map[string]any) Cost {
			window, stride := occlusionWindow(info.Modality == "image", info.ImageHeight, info.ImageWidth, params)
			if info.Modality == "image" {
				h, w := shifts(max(1, info.ImageHeight), window, stride), shifts(max(1, info.ImageWidth), window, stride)
				if paramString(params, "channels") == "each" {
					h *= max(1, info.ImageChannels)
				}
				return spend(info, tokens, 2+h*w, 0)
			}
			return spend(info, tokens, 2+shifts(max(1, tokens), window, stride), 0)
		},
		run: runOcclusion,
	})
}

// maxOcclusions bounds the windows of one explanation.
const maxOcclusions = 65536

// occlusionWindow fills in the default (0): one token; a window of a seventh of the picture that moves by half.
func occlusionWindow(image bool, height, width int, params map[string]any) (window, stride int) {
	window, stride = paramInt(params, "window"), paramInt(params, "stride")
	if window == 0 {
		window = 1
		if image {
			window = max(1, min(height, width)/7)
		}
	}
	if stride == 0 {
		stride = 1
		if image {
			stride = max(1, window/2)
		}
	}
	return window, stride
}

// shifts is the number of window positions along n, as Captum counts them.
func shifts(n, window, stride int) int {
	if window >= n {
		return 1
	}
	return (n-window+stride-1)/stride + 1
}

func runOcclusion(ctx context.Context, p *Problem) (*Attribution, error) {
	height, width := 1, len(p.Example.IDs)
	if p.image() {
		height, width = p.Example.Shape[1], p.Example.Shape[2]
	}
	window, stride := occlusionWindow(p.image(), height, width, p.Params)
	if stride > window {
		return nil, fmt.Errorf("explain: parameter stride: %d is more than the window of %d, some positions would never be covered: %w", stride, window, ErrParam)
	}
	windowH := window
	if !p.image() {
		windowH = 1
	}
	p.Params["window"], p.Params["stride"] = window, stride
	rows, cols := shifts(height, windowH, stride), shifts(width, window, stride)
	each := p.image() && paramString(p.Params, "channels") == "each"
	total := rows * cols
	if each {
		total *= p.Example.Shape[0]
	}
	if total > maxOcclusions {
		return nil, fmt.Errorf("explain: parameter stride: %d windows are needed, the limit is %d: choose a larger stride: %w", total, maxOcclusions, ErrParam)
	}
	var masks []mask
	for r := range rows {
		for c := range cols {
			m := mask{cover(r*stride, windowH, height, c*stride, window, width), allChannels}
			if !each {
				masks = append(masks, m)
				continue
			}
			for m.channel = range p.Example.Shape[0] {
				masks = append(masks, m)
			}
		}
	}
	return p.occlude(ctx, masks, height*width)
}

// mask is a set of units (tokens or pixels) that become the baseline; of a picture in one channel or in all.
type mask struct {
	units   []int
	channel int
}

const allChannels = -1

// cover lists the positions of a window, cropped at the edge.
func cover(top, windowH, height, left, windowW, width int) []int {
	var list []int
	for y := top; y < min(top+windowH, height); y++ {
		for x := left; x < min(left+windowW, width); x++ {
			list = append(list, y*width+x)
		}
	}
	return list
}

// occlude credits F(x) - F(x with the mask at the baseline) to each mask's positions.
func (p *Problem) occlude(ctx context.Context, masks []mask, units int) (*Attribution, error) {
	embeddings, err := p.mixEmbeddings(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := p.values(ctx, []inference.Example{p.Example, p.baselineExample()})
	if err != nil {
		return nil, err
	}
	credit := newCredit(p, masks, units)
	for chunk := range slices.Chunk(masks, p.chunk()) {
		var batch []inference.Example
		var changed []int
		for i, m := range chunk {
			if x, ok := p.masked(m, embeddings); ok {
				batch, changed = append(batch, x), append(changed, i)
			}
		}
		values, err := p.values(ctx, batch)
		if err != nil {
			return nil, err
		}
		diff := make([]float64, len(chunk)) // a window that changes nothing differs by exactly 0
		for k, i := range changed {
			diff[i] = ends[0] - values[k]
		}
		for i, m := range chunk {
			credit.give(m, diff[i])
		}
	}
	a := credit.attribution(p)
	a.Output, a.BaselineOutput = ends[0], ends[1]
	return a, nil
}

// credit gathers what masks were worth, per unit and, where masks cover single channels, per channel.
type credit struct {
	units        int
	each         bool
	total, times []float64
}

func newCredit(p *Problem, masks []mask, units int) *credit {
	c := &credit{units: units, each: len(masks) > 0 && masks[0].channel != allChannels}
	n := units
	if c.each {
		n *= p.Example.Shape[0]
	}
	c.total, c.times = make([]float64, n), make([]float64, n)
	return c
}

func (c *credit) give(m mask, diff float64) {
	offset := 0
	if c.each {
		offset = m.channel * c.units
	}
	for _, u := range m.units {
		c.total[offset+u] += diff
		c.times[offset+u]++
	}
}

func (c *credit) attribution(p *Problem) *Attribution {
	a := &Attribution{Values: make([]float64, c.units), Shape: []int{c.units}}
	if p.image() {
		a.Shape = p.Example.Shape[1:]
	}
	for i, n := range c.times {
		if n > 0 {
			c.total[i] /= n
		}
		a.Values[i%c.units] += c.total[i]
	}
	if p.Detail {
		a.Detail = c.total
		if p.image() && !c.each { // a window over all channels credits each of them, as Captum's tensor shows
			a.Detail = nil
			for range p.Example.Shape[0] {
				a.Detail = append(a.Detail, c.total...)
			}
		}
	}
	return a
}

// mixEmbeddings looks up the word embeddings of a text whose baseline is given as embeddings; nil otherwise.
func (p *Problem) mixEmbeddings(ctx context.Context) ([]float32, error) {
	if p.image() || p.Baseline.IDs != nil {
		return nil, nil
	}
	x, _, _, _, err := p.ends(ctx, false)
	return x, err
}

// masked is the example with the mask's units at the baseline; false if that changes nothing.
func (p *Problem) masked(m mask, embeddings []float32) (inference.Example, bool) {
	changed := false
	switch {
	case p.image():
		plane := p.Example.Shape[1] * p.Example.Shape[2]
		pixels := slices.Clone(p.Example.Pixels)
		for _, u := range m.units {
			for c := range p.Example.Shape[0] {
				if k := c*plane + u; m.channel == allChannels || m.channel == c {
					changed = changed || pixels[k] != p.Baseline.Pixels[k]
					pixels[k] = p.Baseline.Pixels[k]
				}
			}
		}
		return p.at(pixels), changed
	case p.Baseline.IDs != nil:
		ids := slices.Clone(p.Example.IDs)
		for _, u := range m.units {
			changed = changed || ids[u] != p.Baseline.IDs[u]
			ids[u] = p.Baseline.IDs[u]
		}
		return inference.Example{IDs: ids, Types: p.Example.Types, Decoder: p.Example.Decoder}, changed
	}
	point := slices.Clone(embeddings)
	_, d, _, _ := p.layout(len(point))
	for _, u := range m.units {
		changed = changed || !slices.Equal(point[u*d:(u+1)*d], p.Baseline.Embeddings[u*d:(u+1)*d])
		copy(point[u*d:(u+1)*d], p.Baseline.Embeddings[u*d:(u+1)*d])
	}
	return p.at(point), changed
}
