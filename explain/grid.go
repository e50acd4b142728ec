package explain

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"vitrine/inference"
)

// Grid is what a method on the model's inner values found, layer by layer: Values[l][t] belongs to layer Rows[l] and
// position t.
type Grid struct {
	Rows   []string    `json:"rows"`
	Values [][]float64 `json:"values"`
}

// all lists every value.
func (g *Grid) all() []float64 {
	if g == nil {
		return nil
	}
	return slices.Concat(g.Values...)
}

// column adds up a position's values over the layers.
func (g *Grid) column(t int) float64 {
	total := 0.0
	for _, row := range g.Values {
		total += row[t]
	}
	return total
}

// gridParams are the parameters of methods on inner values.
func gridParams(more ...Param) []Param {
	return append(append(targetParams(), baselineParam()), more...)
}

// deep is the condition of methods that need every layer's hidden states of a text.
func deep(info inference.Info) error {
	if info.Modality != "text" || len(info.Taps.Hidden) < 2 {
		return fmt.Errorf("explain: %s shows no hidden states of its layers: %w", info.Name, ErrUnsuitable)
	}
	return nil
}

// hiddenAt runs the input and the baseline and gives the hidden states of every layer, (T,D) each, with the gradients of the
// target where asked for.
func (p *Problem) hiddenAt(ctx context.Context, gradients bool) ([]inference.Result, error) {
	return p.innerAt(ctx, p.Info.Taps.Hidden, gradients)
}

// siteParam chooses what is patched: the hidden states, or what a decoder's attention or feed-forward adds to them.
func siteParam() Param {
	return Param{Name: "site", Type: "enum", Default: "hidden", Enum: []string{"hidden", "attention", "mlp"}, Help: "explain.param.site"}
}

// site lists the values of the chosen kind, a layer each.
func (p *Problem) site() ([]string, error) {
	taps, name := p.Info.Taps.Hidden, paramString(p.Params, "site")
	switch name {
	case "attention":
		taps = p.Info.Taps.Attended
	case "mlp":
		taps = p.Info.Taps.Fed
	}
	if len(taps) == 0 {
		return nil, fmt.Errorf("explain: parameter site: %s does not show its %s alone; choose hidden: %w", p.Info.Name, name, ErrParam)
	}
	return taps, nil
}

// innerAt is hiddenAt for values of any kind, (T,D) each.
func (p *Problem) innerAt(ctx context.Context, taps []string, gradients bool) ([]inference.Result, error) {
	var wrt []string
	if gradients {
		wrt = taps
	}
	out, err := p.run(ctx, []inference.Example{p.Example, p.baselineExample()}, taps, wrt)
	if err != nil {
		return nil, err
	}
	t := len(p.Example.IDs)
	for _, tap := range taps {
		if s := out[0].Taps[tap].Shape; len(s) != 2 || s[0] != t {
			return nil, fmt.Errorf("explain: hidden state of shape %v where (tokens, width) is due: %w", s, ErrUnsuitable)
		}
	}
	return out, nil
}

// onGrid completes an attribution whose values are the columns of a grid.
func (p *Problem) onGrid(rows [][]float64, ends []inference.Result, value func(t int) float64) *Attribution {
	t := len(p.Example.IDs)
	a := &Attribution{Values: make([]float64, t), Shape: []int{t}, Grid: &Grid{Values: rows}, Output: ends[0].Value, BaselineOutput: ends[1].Value}
	for l := range rows {
		a.Grid.Rows = append(a.Grid.Rows, strconv.Itoa(l))
	}
	for i := range a.Values {
		a.Values[i] = value(i)
	}
	return a
}

// patched runs the base example with a row of one layer's hidden state written over, for every row, and gives F of each.
func (p *Problem) patched(ctx context.Context, base inference.Example, tap string, hidden inference.Tensor, row func(t int) []float32) ([]float64, error) {
	n, d := hidden.Shape[0], hidden.Shape[1]
	batch := make([]inference.Example, n)
	for t := range n {
		data := append([]float32(nil), hidden.Data...)
		copy(data[t*d:(t+1)*d], row(t))
		batch[t] = base
		batch[t].Patch = map[string]inference.Tensor{tap: {Shape: hidden.Shape, Data: data}}
	}
	return p.values(ctx, batch)
}
