package conformance

import (
	"fmt"
	"slices"

	"vitrine/explain"
	"vitrine/inference"
)

// subject is a case made ready to run: one problem a row of the batch, and the comparisons made so far.
type subject struct {
	*folder
	c        *goldenCase
	problems []*explain.Problem
	keep     [][]int            // per row of a text: the real positions
	padded   int                // positions of a row with padding
	scale    map[string]float64 // what errors of a value refer to, where not to the value itself
	rows     []int              // per problem of a tensor input: its row
	report   func(what string, largest, allowed float64, ok bool, why error)
}

// prepare builds the problems. Padding never enters the engine: it is cut off here, and only real positions are
// compared.
func (f *folder) prepare(c *goldenCase) (*subject, error) {
	s := &subject{folder: f, c: c}
	switch {
	case c.Input.IDs != nil:
		for i := range c.Input.IDs {
			if err := s.addText(i); err != nil {
				return nil, err
			}
		}
	case c.Input.Pixels != nil:
		if err := s.addImages(c.Input.Pixels.Tensor); err != nil {
			return nil, err
		}
	case c.Input.Features != nil:
		if err := s.addFeatures(c.Input.Features.Tensor); err != nil {
			return nil, err
		}
	default:
		return nil, unsupported("this kind of input")
	}
	for i, p := range s.problems {
		p.Engine, p.Info, p.Detail, p.Params = f.model, f.info, true, map[string]any{}
		if t := c.Target; t != nil {
			p.Target = inference.Target{Index: []int{t.Index}, Quantity: t.Kind}
			if t.Minus != nil {
				p.Target.Minus = []int{*t.Minus}
			}
		} else {
			p.Target = inference.Target{Index: []int{0}, Quantity: "logit"}
		}
		if err := s.setBaseline(p, i); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *subject) addText(row int) error {
	in := s.c.Input
	ids := in.IDs[row]
	s.padded = len(ids)
	p := &explain.Problem{}
	var keep []int
	for t, id := range ids {
		if row < len(in.Mask) && t < len(in.Mask[row]) && in.Mask[row][t] == 0 {
			continue
		}
		keep = append(keep, t)
		p.Example.IDs = append(p.Example.IDs, id)
		if row < len(in.Types) && t < len(in.Types[row]) {
			p.Example.Types = append(p.Example.Types, in.Types[row][t])
		}
		special := id == s.info.SpecialIDs.Pad || id == s.info.SpecialIDs.CLS || id == s.info.SpecialIDs.Sep
		p.Tokens = append(p.Tokens, inference.Token{ID: id, Special: special, Word: t})
	}
	if len(keep) == 0 {
		return fmt.Errorf("conformance: row %d has no real position: %w", row, inference.ErrModel)
	}
	if row < len(in.Decoder) {
		p.Example.Decoder = in.Decoder[row]
	}
	s.keep = append(s.keep, keep)
	s.problems = append(s.problems, p)
	return nil
}

func (s *subject) addImages(tensor string) error {
	v, err := s.tensor(tensor)
	if err != nil {
		return err
	}
	if len(v.shape) != 4 {
		return fmt.Errorf("conformance: pixel_values of shape %v: %w", v.shape, inference.ErrModel)
	}
	s.addRows(v, v.shape[1:])
	return nil
}

// addFeatures gives rows of features as pictures of one channel and one row.
func (s *subject) addFeatures(tensor string) error {
	v, err := s.tensor(tensor)
	if err != nil {
		return err
	}
	if len(v.shape) != 2 {
		return fmt.Errorf("conformance: features of shape %v: %w", v.shape, inference.ErrModel)
	}
	s.addRows(v, []int{1, 1, v.shape[1]})
	return nil
}

// addRows adds one problem per row of the tensor, or the row that the case names; rows are numbered in row.
func (s *subject) addRows(v values, shape []int) {
	size := len(v.data) / max(1, v.shape[0])
	for row := range v.shape[0] {
		if s.c.Input.Row != nil && *s.c.Input.Row != row {
			continue
		}
		s.rows = append(s.rows, row)
		s.problems = append(s.problems, &explain.Problem{Example: inference.Example{
			Pixels: narrow(v.data[row*size : (row+1)*size]), Shape: slices.Clone(shape)}})
	}
}

// setBaseline uses the recorded baseline; where a case has none, the default one.
func (s *subject) setBaseline(p *explain.Problem, row int) error {
	b := s.c.Baseline
	if p.Example.Pixels != nil {
		p.Baseline = explain.Baseline{Name: "zero", Pixels: make([]float32, len(p.Example.Pixels))}
		switch {
		case b != nil && len(b.Either) > 0:
			if len(b.Either[0]) != len(p.Example.Pixels) {
				return fmt.Errorf("conformance: baseline of %d values for %d features: %w", len(b.Either[0]), len(p.Example.Pixels), inference.ErrModel)
			}
			p.Baseline = explain.Baseline{Name: "recorded", Pixels: narrow(b.Either[0])}
			return nil
		case b != nil && b.Tensor != "":
		case s.c.Input.Features != nil: // recorded once for all cases of the folder
			b = &goldenBaseline{Name: "recorded", Tensor: "input/baseline"}
		default:
			return nil
		}
		row = s.rows[row]
		v, err := s.tensor(b.Tensor)
		if err != nil {
			return err
		}
		n := len(p.Example.Pixels)
		if len(v.data) == n { // one baseline for all rows
			row = 0
		}
		if len(v.data) < (row+1)*n {
			return fmt.Errorf("conformance: baseline of %d values for %d pixels: %w", len(v.data), n, inference.ErrModel)
		}
		p.Baseline = explain.Baseline{Name: b.Name, Pixels: narrow(v.data[row*n : (row+1)*n])}
		return nil
	}
	p.Baseline = explain.Baseline{Name: "pad", IDs: slices.Clone(p.Example.IDs)}
	switch {
	case b != nil && len(b.Either) > 0:
		if len(b.Either[0]) != len(p.Baseline.IDs) {
			return fmt.Errorf("conformance: baseline of %d ids for %d tokens: %w", len(b.Either[0]), len(p.Baseline.IDs), inference.ErrModel)
		}
		for t, id := range b.Either[0] {
			p.Baseline.IDs[t] = int32(id)
		}
	case b != nil && row < len(b.IDs):
		p.Baseline = explain.Baseline{Name: b.Name}
		for _, t := range s.keep[row] {
			if t >= len(b.IDs[row]) {
				return fmt.Errorf("conformance: baseline of %d ids: %w", len(b.IDs[row]), inference.ErrModel)
			}
			p.Baseline.IDs = append(p.Baseline.IDs, b.IDs[row][t])
		}
	case b != nil && b.Value != nil:
		p.Baseline = explain.Baseline{Name: "constant", Embeddings: slices.Repeat([]float32{*b.Value}, len(p.Example.IDs)*s.info.Hidden)}
	case b != nil && b.Name == "zero word embedding":
		p.Baseline = explain.Baseline{Name: "zero", Embeddings: make([]float32, len(p.Example.IDs)*s.info.Hidden)}
	case b != nil:
		return unsupported("baseline %q", b.Name)
	default:
		for t, tok := range p.Tokens {
			if !tok.Special {
				p.Baseline.IDs[t] = s.info.SpecialIDs.Pad
			}
		}
	}
	return nil
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(v[i])
	}
	return out
}
