package vision

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
)

// Processor turns pictures into model input; safe for concurrent use.
type Processor struct {
	channels  int
	plan      plan
	rescale   bool
	factor    float64
	mean, std []float32 // one a channel, nil: no normalising
	limit     Limit
}

// plan is what differs between kinds of processors.
type plan struct {
	resize       func(width, height int) (int, int) // nil: none
	filter       Filter
	cropW, cropH int // 0: none
	outW, outH   int // 0: depends on the picture
}

// size is the "size" or "crop_size" of a config: a number or an object.
type size struct {
	Height       int `json:"height"`
	Width        int `json:"width"`
	ShortestEdge int `json:"shortest_edge"`
	LongestEdge  int `json:"longest_edge"`
}

func (s *size) UnmarshalJSON(raw []byte) error {
	var n int
	if json.Unmarshal(raw, &n) == nil {
		s.Height, s.Width, s.ShortestEdge = n, n, n
		return nil
	}
	type plain size
	return json.Unmarshal(raw, (*plain)(s))
}

// config is preprocessor_config.json. Absent fields keep the default of the
// processor's class, which its kind fills in.
type config struct {
	Type          string    `json:"image_processor_type"`
	OldType       string    `json:"feature_extractor_type"`
	DoResize      *bool     `json:"do_resize"`
	Size          *size     `json:"size"`
	Resample      *Filter   `json:"resample"`
	DoCenterCrop  *bool     `json:"do_center_crop"`
	CropSize      *size     `json:"crop_size"`
	CropPct       *float64  `json:"crop_pct"`
	DoRescale     *bool     `json:"do_rescale"`
	RescaleFactor *float64  `json:"rescale_factor"`
	DoNormalize   *bool     `json:"do_normalize"`
	Mean          []float64 `json:"image_mean"`
	Std           []float64 `json:"image_std"`
}

// kinds maps the class name without "ImageProcessor" to its plan. Each kind
// registers from init() in its own file.
var kinds = map[string]func(c *config) (plan, error){}

func registerKind(name string, build func(c *config) (plan, error)) {
	if _, twice := kinds[name]; twice || name == "" || build == nil {
		panic("vision: bad or repeated image processor kind " + name)
	}
	kinds[name] = build
}

// maxConfig and maxEdge bound the config and every size in it.
const (
	maxConfig = 1 << 20
	maxEdge   = 4096
)

// LoadProcessor reads preprocessor_config.json for a model with the given
// number of input channels (1 or 3).
func LoadProcessor(fsys fs.FS, channels int) (*Processor, error) {
	f, err := fsys.Open("preprocessor_config.json")
	if err != nil {
		return nil, fmt.Errorf("vision: opening preprocessor_config.json: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("vision: reading preprocessor_config.json: %w", err)
	}
	if len(raw) > maxConfig {
		return nil, fmt.Errorf("vision: %w: preprocessor_config.json is larger than 1 MiB", ErrConfig)
	}
	return ParseProcessor(raw, channels)
}

// ParseProcessor is LoadProcessor on the bytes of the config.
func ParseProcessor(raw []byte, channels int) (*Processor, error) {
	var c config
	if err := json.Unmarshal(raw, &c); err != nil {
		if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("%.60q holds a %s, which does not belong there", mismatch.Field, mismatch.Value)
		}
		return nil, fmt.Errorf("vision: %w: preprocessor_config.json: %w", ErrConfig, err)
	}
	if channels != 1 && channels != 3 {
		return nil, fmt.Errorf("vision: %w: the model takes %d channels, 1 and 3 are run", ErrConfig, channels)
	}
	name := c.kind()
	build, ok := kinds[name]
	if !ok {
		return nil, fmt.Errorf("vision: %w: image processor %.60q", ErrUnsupported, name)
	}
	pl, err := build(&c)
	if err != nil {
		return nil, fmt.Errorf("vision: image processor %s: %w", name, err)
	}
	p := &Processor{channels: channels, plan: pl, limit: DefaultLimit}
	if err := p.numbers(&c); err != nil {
		return nil, fmt.Errorf("vision: %w", err)
	}
	return p, nil
}

// kind is the class name without the endings that name a backend.
func (c *config) kind() string {
	name := c.Type
	if name == "" {
		name = c.OldType
	}
	for _, ending := range []string{"Fast", "Pil", "ImageProcessor", "FeatureExtractor"} {
		name = strings.TrimSuffix(name, ending)
	}
	return name
}

func on(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

// numbers checks the constants of rescaling and normalising.
func (p *Processor) numbers(c *config) error {
	p.rescale, p.factor = on(c.DoRescale, true), 1.0/255
	if c.RescaleFactor != nil {
		p.factor = *c.RescaleFactor
	}
	if math.IsNaN(p.factor) || math.IsInf(p.factor, 0) {
		return fmt.Errorf("%w: rescale_factor is not a finite number", ErrConfig)
	}
	if !on(c.DoNormalize, true) {
		return nil
	}
	fill := func(in []float64, otherwise float64) []float32 {
		if len(in) == 0 {
			in = []float64{otherwise}
		}
		out := make([]float32, 0, p.channels)
		for _, v := range in {
			out = append(out, float32(v))
		}
		if len(out) == 1 {
			out = slices.Repeat(out, p.channels)
		}
		return out
	}
	p.mean, p.std = fill(c.Mean, 0.5), fill(c.Std, 0.5)
	if len(p.mean) != p.channels || len(p.std) != p.channels {
		return fmt.Errorf("%w: image_mean and image_std have %d and %d values, the model has %d channels", ErrConfig, len(p.mean), len(p.std), p.channels)
	}
	for _, s := range p.std {
		if s <= 0 || math.IsInf(float64(s), 0) {
			return fmt.Errorf("%w: image_std must be positive", ErrConfig)
		}
	}
	return nil
}

// Size is the height and width that Process gives, 0,0 where it depends on the
// picture.
func (p *Processor) Size() (height, width int) { return p.plan.outH, p.plan.outW }

// Channels is the number of channels that Process gives.
func (p *Processor) Channels() int { return p.channels }

// Fit is the picture as the model sees it, before normalising: upright,
// converted, resized and cropped; for showing an attribution map over it.
func (p *Processor) Fit(encoded []byte) (*Picture, error) {
	pic, err := Decode(encoded, p.limit)
	if err != nil {
		return nil, err
	}
	if p.channels == 1 {
		pic = pic.Grey()
	}
	if p.plan.resize != nil {
		w, h := p.plan.resize(pic.Width, pic.Height)
		if w < 1 || h < 1 || w > DefaultLimit.Pixels/h {
			return nil, fmt.Errorf("vision: %w: at %d × %d pixels it is too narrow for this model; crop it", ErrImage, pic.Width, pic.Height)
		}
		pic = pic.Resize(w, h, p.plan.filter)
	}
	if p.plan.cropW > 0 {
		pic = pic.centre(p.plan.cropW, p.plan.cropH)
	}
	return pic, nil
}

// Process decodes, resizes, crops, rescales and normalises; shape is {C,H,W}.
func (p *Processor) Process(encoded []byte) (pixels []float32, shape []int, err error) {
	pic, err := p.Fit(encoded)
	if err != nil {
		return nil, nil, err
	}
	pixels = p.Normalize(pic)
	return pixels, []int{p.channels, pic.Height, pic.Width}, nil
}

// Normalize rescales and normalises a picture that Fit gave: (C,H,W). The
// arithmetic is the reference's: rescaled in float64 and rounded to float32,
// then normalised in float32.
func (p *Processor) Normalize(pic *Picture) []float32 {
	n, c := pic.Width*pic.Height, pic.Channels
	out := make([]float32, n*c)
	var table [256]float32
	for ch := range c {
		for v := range table {
			x := float32(v)
			if p.rescale {
				x = float32(float64(v) * p.factor)
			}
			if p.mean != nil {
				x = (x - p.mean[ch]) / p.std[ch]
			}
			table[v] = x
		}
		for i := range n {
			out[ch*n+i] = table[pic.Pix[i*c+ch]]
		}
	}
	return out
}

// centre cuts the middle out, with black around a picture that is too small
// (transformers' center_crop).
func (p *Picture) centre(width, height int) *Picture {
	out := newPicture(width, height, p.Channels)
	top, left := offset(p.Height, height), offset(p.Width, width)
	c := p.Channels
	for y := max(0, -top); y < min(height, p.Height-top); y++ {
		x0, x1 := max(0, -left), min(width, p.Width-left)
		if x0 < x1 {
			copy(out.Pix[(y*width+x0)*c:(y*width+x1)*c], p.Pix[((y+top)*p.Width+x0+left)*c:])
		}
	}
	return out
}

// offset is where the cut begins: half the excess rounded down, or, negative,
// half the lack rounded up.
func offset(have, want int) int {
	if have >= want {
		return (have - want) / 2
	}
	return -((want - have + 1) / 2)
}
