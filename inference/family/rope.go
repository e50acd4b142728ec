package family

import (
	"fmt"
	"math"

	"vitrine/inference/kernel"
	"vitrine/inference/op"
)

// ropeConfig is how config.json describes rotary positions, in its older form (rope_theta, rope_scaling) and the newer (rope_parameters).
type ropeConfig struct {
	Theta      float64     `json:"rope_theta"`
	Partial    *float64    `json:"partial_rotary_factor"`
	Scaling    *ropeParams `json:"rope_scaling"`
	Parameters *ropeParams `json:"rope_parameters"`
}

type ropeParams struct {
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Theta    float64  `json:"rope_theta"`
	Partial  *float64 `json:"partial_rotary_factor"`
	Factor   float64  `json:"factor"`
	Low      float64  `json:"low_freq_factor"`
	High     float64  `json:"high_freq_factor"`
	Original float64  `json:"original_max_position_embeddings"`
}

// rope makes the rotation of heads of a width; theta is the family's base where the config names none.
func (c *ropeConfig) rope(width int, theta float64) (*op.Rope, error) {
	p := ropeParams{Theta: c.Theta, Partial: c.Partial}
	for _, q := range []*ropeParams{c.Scaling, c.Parameters} {
		if q != nil {
			base, partial := p.Theta, p.Partial
			if p = *q; p.Theta == 0 {
				p.Theta = base
			}
			if p.Partial == nil {
				p.Partial = partial
			}
		}
	}
	if p.Theta == 0 {
		p.Theta = theta
	}
	turned := width
	if p.Partial != nil {
		turned = int(*p.Partial * float64(width))
	}
	if !(p.Theta >= 1 && p.Theta <= 1e12) || turned < 2 || turned > width || turned%2 != 0 {
		return nil, fmt.Errorf("family: %w: rotary base %g over %d of %d values of a head", ErrConfig, p.Theta, turned, width)
	}
	f := kernel.Powers(p.Theta, turned/2, turned/2)
	if p.Type == "" {
		p.Type = p.OldType
	}
	switch p.Type {
	case "", "default", "dynamic": // dynamic differs only beyond the positions that the model has
	case "linear":
		if !(p.Factor >= 1) {
			return nil, fmt.Errorf("family: %w: rotary scaling factor %g", ErrConfig, p.Factor)
		}
		for i := range f {
			f[i] /= p.Factor
		}
	case "llama3":
		if !(p.Factor >= 1 && p.Low > 0 && p.High > p.Low && p.Original >= 1) {
			return nil, fmt.Errorf("family: %w: rotary scaling llama3 with factor %g, frequencies %g to %g, %g positions", ErrConfig, p.Factor, p.Low, p.High, p.Original)
		}
		p.llama3(f)
	default:
		return nil, fmt.Errorf("family: rotary scaling %.40q: %w", p.Type, ErrUnsupported)
	}
	return &op.Rope{Width: width, Table: &op.Angles{Frequencies: f}}, nil
}

// llama3 slows low frequencies down by the factor, keeps high ones and blends between (Llama 3.1).
func (p *ropeParams) llama3(f []float64) {
	for i, v := range f {
		turns := float64(p.Original*v) / (2 * math.Pi) // original positions over the wavelength
		switch {
		case turns > p.High:
		case turns < p.Low:
			f[i] = v / p.Factor
		default:
			smooth := (turns - p.Low) / (p.High - p.Low)
			f[i] = float64((1-smooth)*float64(v/p.Factor)) + float64(smooth*v)
		}
	}
}
