// Package vision turns an encoded picture into the normalised pixels a
// checkpoint was trained on, as Pillow and the reference image processors do.
package vision

import (
	"errors"
	"image"
	"io/fs"
)

var (
	// ErrImage: the bytes are not a picture that can be read.
	ErrImage = errors.New("picture is not usable")
	// ErrTooLarge: the header announces more pixels than allowed.
	ErrTooLarge = errors.New("picture is too large")
	// ErrConfig: preprocessor_config.json is damaged or hostile.
	ErrConfig = errors.New("image processor config is not usable")
	// ErrUnsupported: a known picture format or processor that is not run here.
	ErrUnsupported = errors.New("unsupported")
)

// Limit bounds a picture before any pixel is decoded.
type Limit struct {
	Bytes  int // encoded size
	Side   int // width and height, each
	Pixels int // width × height
}

// DefaultLimit admits a 40-megapixel camera picture.
var DefaultLimit = Limit{Bytes: 32 << 20, Side: 16384, Pixels: 50_000_000}

// Picture is a decoded picture, upright (EXIF orientation applied), 8 bits a
// sample, interleaved: Channels is 1 (grey) or 3 (RGB).
type Picture struct {
	Width, Height, Channels int
	Pix                     []byte // Height × Width × Channels
}

// Image gives the picture as an image.Image for display.
func (p *Picture) Image() image.Image { return asImage(p) }

// Decode reads a PNG or JPEG as Pillow's convert("RGB") gives it, EXIF
// orientation applied. The limit is checked from the header first.
func Decode(encoded []byte, limit Limit) (*Picture, error) { return decode(encoded, limit) }

// LoadProcessor reads preprocessor_config.json for a model with the given
// number of input channels (1 or 3).
func LoadProcessor(fsys fs.FS, channels int) (*Processor, error) {
	return loadProcessor(fsys, channels)
}
