package vision

import "fmt"

// edge checks one size of a config.
func edge(name string, n int) error {
	if n < 1 || n > maxEdge {
		return fmt.Errorf("%w: %s is %d (1 to %d are allowed)", ErrConfig, name, n, maxEdge)
	}
	return nil
}

// resample is the config's filter, or the class's default.
func (c *config) resample(otherwise Filter) (Filter, error) {
	if c.Resample == nil {
		return otherwise, nil
	}
	if *c.Resample < Nearest || *c.Resample > Hamming {
		return 0, fmt.Errorf("%w: resample is %d (0 to 5 are allowed)", ErrConfig, int(*c.Resample))
	}
	return *c.Resample, nil
}

// exactly resizes to a fixed size without keeping the proportions.
func exactly(s size) func(int, int) (int, int) {
	return func(int, int) (int, int) { return s.Width, s.Height }
}

// shortest keeps the proportions; the shorter side becomes edge, the longer is
// rounded down (transformers' get_resize_output_image_size).
func shortest(edge int) func(int, int) (int, int) {
	return func(w, h int) (int, int) {
		long := int(float64(edge*max(w, h)) / float64(min(w, h)))
		if w <= h {
			return edge, long
		}
		return long, edge
	}
}

// fixedPlan is the plan of processors that resize to height × width.
func fixedPlan(c *config, otherwise size, filter Filter) (plan, error) {
	f, err := c.resample(filter)
	if err != nil {
		return plan{}, err
	}
	pl := plan{filter: f}
	s := otherwise
	if c.Size != nil {
		s = *c.Size
	}
	if !on(c.DoResize, true) {
		return pl, nil
	}
	if err := edge("size height", s.Height); err != nil {
		return plan{}, err
	}
	if err := edge("size width", s.Width); err != nil {
		return plan{}, err
	}
	pl.resize, pl.outW, pl.outH = exactly(s), s.Width, s.Height
	return pl, nil
}

// crop adds a centre crop to a plan.
func (pl *plan) crop(c *config, otherwise size) error {
	s := otherwise
	if c.CropSize != nil {
		s = *c.CropSize
	}
	if err := edge("crop_size height", s.Height); err != nil {
		return err
	}
	if err := edge("crop_size width", s.Width); err != nil {
		return err
	}
	pl.cropW, pl.cropH, pl.outW, pl.outH = s.Width, s.Height, s.Width, s.Height
	return nil
}

// shortestPlan is the plan of processors that resize the shorter side and cut
// the middle out.
func shortestPlan(c *config, short, crop int, filter Filter) (plan, error) {
	f, err := c.resample(filter)
	if err != nil {
		return plan{}, err
	}
	pl := plan{filter: f}
	if on(c.DoResize, true) {
		if c.Size != nil {
			short = c.Size.ShortestEdge
		}
		if c.Size != nil && short == 0 && c.Size.Height > 0 {
			if pl, err = fixedPlan(c, size{}, filter); err != nil {
				return plan{}, err
			}
		} else if err := edge("size shortest_edge", short); err != nil {
			return plan{}, err
		} else {
			pl.resize = shortest(short)
		}
	}
	if on(c.DoCenterCrop, true) {
		if err := pl.crop(c, size{Height: crop, Width: crop}); err != nil {
			return plan{}, err
		}
	}
	return pl, nil
}
