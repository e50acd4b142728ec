package generate

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"vitrine/inference/kernel"
)

// dice draws ids; PCG-DXSM is part of the standard library's promise, so a seed means the same draws everywhere.
type dice struct{ r *rand.PCG }

func newDice(seed uint64) *dice { return &dice{rand.NewPCG(seed, 0x9e3779b97f4a7c15)} }

// draw picks a place with the given probabilities: the first at which their running sum, in float64 and in order, passes the draw.
func (d *dice) draw(p []float32) int32 {
	u := float64(d.r.Uint64()>>11) / (1 << 53)
	total := 0.0
	for _, v := range p {
		total += float64(v)
	}
	u = float64(u * total)
	sum, last := 0.0, 0
	for i, v := range p {
		if v == 0 {
			continue
		}
		last = i
		if sum += float64(v); sum > u {
			return int32(i)
		}
	}
	return int32(last)
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// errRules: the rules leave nothing to choose.
var errRules = fmt.Errorf("generate: %w: the rules leave no token that could follow; allow more", ErrOptions)

// observe turns logits into log-probabilities, before any rule; logits that are not finite are an error.
func observe(x []float32) (t Token, logs []float32, err error) {
	for _, v := range x {
		if v-v != 0 {
			return t, nil, errOutput
		}
	}
	logs = make([]float32, len(x))
	kernel.LogSoftmax(1, 1, len(x), logs, x)
	return t, logs, nil
}

// best lists the n most probable ids; of equals the lower comes first.
func best(logs []float32, n int) []Alternative {
	if n == 0 {
		return nil
	}
	out := make([]Alternative, 0, n+1)
	for i, v := range logs {
		if len(out) == n && float64(v) <= out[n-1].LogProb {
			continue
		}
		at, _ := slices.BinarySearchFunc(out, float64(v), func(a Alternative, l float64) int {
			if a.LogProb >= l {
				return -1
			}
			return 1
		})
		out = slices.Insert(out, at, Alternative{int32(i), float64(v)})
		out = out[:min(len(out), n)]
	}
	return out
}
