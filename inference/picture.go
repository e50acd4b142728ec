package inference

import (
	"fmt"
	"image"
)

// Picture is what the model sees of an encoded picture before normalising: upright, resized and cropped; attribution
// maps have its size. Errors wrap ErrInput.
func (m *Model) Picture(encoded []byte) (image.Image, error) {
	if m.proc == nil {
		return nil, fmt.Errorf("inference: %w: this model reads text, not pictures", ErrInput)
	}
	p, err := m.proc.Fit(encoded)
	if err != nil {
		return nil, fmt.Errorf("inference: reading the picture: %w", classify(err))
	}
	return p.Image(), nil
}
