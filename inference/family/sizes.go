package family

import (
	"fmt"
	"slices"

	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// sizes are the numbers that every transformer config has.
type sizes struct {
	vocab, hidden, layers, heads, kv, inner, positions int
	eps                                                float64
}

func (z sizes) check() error {
	for _, r := range []struct {
		name      string
		v, lo, hi int
	}{
		{"vocabulary size", z.vocab, 1, 4 << 20}, {"hidden size", z.hidden, 1, 1 << 15}, {"number of layers", z.layers, 1, 512},
		{"number of heads", z.heads, 1, 1 << 10}, {"number of key-value heads", z.kv, 1, z.heads},
		{"intermediate size", z.inner, 1, 1 << 18}, {"number of positions", z.positions, 1, 1 << 24},
	} {
		if err := inRange(r.name, r.v, r.lo, r.hi); err != nil {
			return err
		}
	}
	if z.heads%z.kv != 0 {
		return fmt.Errorf("family: %w: %d heads do not fall into %d groups", ErrConfig, z.heads, z.kv)
	}
	if !(z.eps > 0 && z.eps < 1) {
		return fmt.Errorf("family: %w: the norms' epsilon is %g, expected a small positive number", ErrConfig, z.eps)
	}
	return nil
}

// headed refuses architectures other than those given.
func headed(family string, architectures []string, known ...string) error {
	a := one(architectures, known[0])
	if !slices.Contains(known, a) {
		return fmt.Errorf("family: %s with the head %.60q: %w", family, a, ErrUnsupported)
	}
	return nil
}

func activation(family, name string) (*op.Act, error) {
	act, err := op.FindAct(name)
	if err != nil {
		return nil, fmt.Errorf("family: %s: %w: %w", family, err, ErrUnsupported)
	}
	return act, nil
}

// table reads an embedding matrix NAME.weight; one that is tied to the output layer is packed for that and kept once.
func table(l *nn.Loader, name string, rows, d int, tied bool) *op.Table {
	if tied {
		return &op.Table{Rows: rows, D: d, Tied: l.Project(name, d, rows, false).W}
	}
	return &op.Table{Rows: rows, D: d, Data: l.Tensor(name+".weight", rows, d)}
}
