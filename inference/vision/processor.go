package vision

import (
	"fmt"
	"image"
	"io/fs"
)

// Processor turns pictures into model input; safe for concurrent use.
type Processor struct {
	channels      int
	height, width int
}

// Size is the height and width that Process gives, 0,0 where it depends on the picture.
func (p *Processor) Size() (height, width int) { return p.height, p.width }

// Process decodes, resizes, crops, rescales and normalises; shape is {C,H,W}.
func (p *Processor) Process(encoded []byte) (pixels []float32, shape []int, err error) {
	return nil, nil, fmt.Errorf("vision: %w", ErrUnsupported)
}

// Fit is the picture as the model sees it, before normalising: resized and
// cropped, for showing an attribution map over it.
func (p *Processor) Fit(encoded []byte) (*Picture, error) {
	return nil, fmt.Errorf("vision: %w", ErrUnsupported)
}

func loadProcessor(fs.FS, int) (*Processor, error) {
	return nil, fmt.Errorf("vision: %w", ErrUnsupported)
}
func decode([]byte, Limit) (*Picture, error) { return nil, fmt.Errorf("vision: %w", ErrUnsupported) }
func asImage(p *Picture) image.Image         { return image.NewGray(image.Rect(0, 0, p.Width, p.Height)) }
