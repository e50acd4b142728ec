package explain

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"vitrine/inference"
)

// Given replaces a method's own random draws by recorded ones; only comparisons with reference libraries need it.
type Given struct {
	Noise     [][]float32 // added to the input, one per sample
	Alphas    []float64   // positions on the path, one per sample
	Baselines [][]float32 // of the differentiated input
	Pick      []int       // the baseline of each sample
	Groups    [][]int     // players: the units of each group
	Masks     [][]bool    // coalitions of the groups: true is present
	KeepNaN   bool        // relevance across: 0/0 stays, as in the published code, and wipes the update
}

// embedded is the differentiated input: the picture, or the word embeddings, which the model looks up.
func (p *Problem) embedded(ctx context.Context) ([]float32, error) {
	if p.image() {
		return p.Example.Pixels, nil
	}
	if p.Example.Embeddings != nil {
		return p.Example.Embeddings, nil
	}
	out, err := p.run(ctx, []inference.Example{p.Example}, p.inputs(), nil)
	if err != nil {
		return nil, err
	}
	return p.looked(out[0]), nil
}

// gradientsAt differentiates the target at points of the differentiated input, in batches, and hands the value and the
// gradient of each to each, in the order of the points.
func (p *Problem) gradientsAt(ctx context.Context, points int, at func(int) []float32, each func(i int, value float64, g []float32) error) error {
	for next := 0; next < points; {
		var batch []inference.Example
		size := 0
		for len(batch) < p.chunk() && next+len(batch) < points {
			point := at(next + len(batch))
			size = len(point)
			batch = append(batch, p.at(point))
		}
		out, err := p.run(ctx, batch, nil, p.inputs())
		if err != nil {
			return err
		}
		for i, r := range out {
			g := p.slope(r)
			if len(g) != size {
				return fmt.Errorf("explain: the model gave %d gradients for %d input values: %w", len(g), size, ErrUnsuitable)
			}
			if err := each(next+i, r.Value, g); err != nil {
				return err
			}
		}
		next += len(batch)
	}
	return nil
}

// layout says how values fall into units: value j of unit i lies at index(i,j).
type layout struct {
	units, width int
	index        func(unit, j int) int
	shape        []int // of the units, as an attribution has it
}

// layerLayout is the layout of a layer's values. Text: (T,D), a unit a token. Pictures: (C,h,w), a unit a place of the
// map; (T,D) with a class token before the patches, a unit a patch; (N), a unit a value.
func (p *Problem) layerLayout(shape []int) (layout, error) {
	switch {
	case len(shape) == 2 && !p.image():
		return layout{shape[0], shape[1], func(i, j int) int { return i*shape[1] + j }, []int{shape[0]}}, nil
	case len(shape) == 3 && p.image():
		plane := shape[1] * shape[2]
		return layout{plane, shape[0], func(i, j int) int { return j*plane + i }, []int{shape[1], shape[2]}}, nil
	case len(shape) == 2 && p.image():
		h, w := patches(shape[0]-1, p.Example.Shape)
		if h > 0 {
			return layout{h * w, shape[1], func(i, j int) int { return (i+1)*shape[1] + j }, []int{h, w}}, nil
		}
	case len(shape) == 1 && p.image():
		return layout{shape[0], 1, func(i, _ int) int { return i }, []int{1, shape[0]}}, nil
	}
	return layout{}, fmt.Errorf("explain: a layer of shape %v cannot be shown on the input: %w", shape, ErrUnsuitable)
}

// patches gives the grid of n patches of a picture (C,H,W); 0 where n makes no grid of its proportions.
func patches(n int, picture []int) (h, w int) {
	for h := 1; h <= n; h++ {
		if n%h == 0 && h*picture[2] == n/h*picture[1] {
			return h, n / h
		}
	}
	return 0, 0
}

// reduce brings values to units: "sum", "l2", "l1" or "max" over the width. Detail keeps the values themselves where
// the problem asks for them.
func (p *Problem) reduce(l layout, values []float64, how string) *Attribution {
	a := &Attribution{Values: make([]float64, l.units), Shape: l.shape}
	for i := range a.Values {
		acc := 0.0
		for j := range l.width {
			v := values[l.index(i, j)]
			switch how {
			case "l1":
				acc += math.Abs(v)
			case "max":
				acc = max(acc, math.Abs(v))
			case "sum":
				acc += v
			default:
				acc += float64(v * v)
			}
		}
		if how == "l2" {
			acc = math.Sqrt(acc)
		}
		a.Values[i] = acc
	}
	if p.Detail {
		a.Detail = slices.Clone(values)
	}
	return a
}

// inputLayout is the layout of the differentiated input of n values.
func (p *Problem) inputLayout(n int) layout {
	units, width, index, shape := p.layout(n)
	return layout{units, width, index, shape}
}

// reduceParam chooses how values are reduced over the width of the embedding or the channels.
func reduceParam() Param {
	return Param{Name: "reduce", Type: "enum", Default: "l2", Enum: []string{"l2", "l1", "max", "sum"}, Help: "explain.param.reduce"}
}

// layerParam chooses a layer: "auto", "last", "first", a number from 0, or a name. Of a text "auto" is the middle one: what a
// classifier reads of the last one is a single position, beside which no word has a value.
func layerParam() Param {
	return Param{Name: "layer", Type: "string", Default: "auto", Help: "explain.param.any_layer"}
}

// layers are the taps that a layer parameter counts: hidden states of a text, feature maps of a picture.
func layers(info inference.Info) []string {
	if info.Modality == "image" && len(info.Taps.Features) > 0 {
		return info.Taps.Features
	}
	return info.Taps.Hidden
}

// layered is the condition of methods that look at a layer.
func layered(info inference.Info) error {
	if len(layers(info)) == 0 {
		return fmt.Errorf("explain: %s shows no inner layer: %w", info.Name, ErrUnsuitable)
	}
	return nil
}

// layerTap finds the tap that a layer parameter means; known is false where only the engine can tell.
func layerTap(info inference.Info, layer string) (tap string, known bool) {
	taps := layers(info)
	if layer == "auto" {
		if layer = "last"; info.Modality != "image" {
			return taps[len(taps)/2], true
		}
	}
	switch layer {
	case "last":
		return taps[len(taps)-1], true
	case "first":
		return taps[0], true
	}
	if slices.Contains(taps, layer) {
		return layer, true
	}
	if n, err := strconv.Atoi(layer); err == nil && n >= 0 && n < len(taps) && !slices.Contains(taps, strconv.Itoa(n)) {
		return taps[n], true
	}
	return layer, false
}

// noLayer names the parameter where the engine knows no layer of that name.
func noLayer(ctx context.Context, info inference.Info, layer string, known bool, err error) error {
	if err != nil && !known && ctx.Err() == nil {
		return fmt.Errorf("explain: parameter layer: %q is not a layer of %s (it has %s): %w", clip(layer), info.Name, strings.Join(layers(info), ", "), ErrParam)
	}
	return err
}
