package vision

import "fmt"

func init() { registerKind("ConvNext", convNext) }

// convNext also serves ResNet checkpoints. Below 384 the shorter side becomes
// edge/crop_pct and the middle is cut out; from 384 on the picture is squeezed
// to a square without cutting.
func convNext(c *config) (plan, error) {
	f, err := c.resample(Bilinear)
	if err != nil {
		return plan{}, err
	}
	pl := plan{filter: f}
	if !on(c.DoResize, true) {
		return pl, nil
	}
	short := 384
	if c.Size != nil {
		if short = c.Size.ShortestEdge; short == 0 {
			short = c.Size.Height
		}
	}
	if err := edge("size shortest_edge", short); err != nil {
		return plan{}, err
	}
	pl.outW, pl.outH = short, short
	if short >= 384 {
		pl.resize = exactly(size{Height: short, Width: short})
		return pl, nil
	}
	pct := 224.0 / 256
	if c.CropPct != nil {
		pct = *c.CropPct
	}
	if !(pct >= 0.1 && pct <= 1) {
		return plan{}, fmt.Errorf("%w: crop_pct is %v (0.1 to 1 are allowed)", ErrConfig, pct)
	}
	pl.resize = shortest(int(float64(short) / pct))
	pl.cropW, pl.cropH = short, short
	return pl, nil
}
