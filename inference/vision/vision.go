// Package vision turns an encoded picture into the normalised pixels a
// checkpoint was trained on, as Pillow and the reference image processors do.
package vision

import (
	"errors"
	"fmt"
	"image"
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
var DefaultLimit = Limit{Bytes: 32 << 20, Side: 16384, Pixels: 40_000_000}

// Picture is a decoded picture, 8 bits a sample, interleaved: Channels is 1
// (grey) or 3 (RGB).
type Picture struct {
	Width, Height, Channels int
	Pix                     []byte // Height × Width × Channels
}

func newPicture(width, height, channels int) *Picture {
	return &Picture{Width: width, Height: height, Channels: channels, Pix: make([]byte, width*height*channels)}
}

// Image gives the picture as an image.Image for display.
func (p *Picture) Image() image.Image {
	if p.Channels == 1 {
		return &image.Gray{Pix: p.Pix, Stride: p.Width, Rect: image.Rect(0, 0, p.Width, p.Height)}
	}
	out := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(out.Pix[4*i:], p.Pix[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	return out
}

// Grey is Pillow's convert("L"): the ITU-R 601-2 luma in 16-bit fixed point.
func (p *Picture) Grey() *Picture {
	if p.Channels == 1 {
		return p
	}
	out := newPicture(p.Width, p.Height, 1)
	for i := range out.Pix {
		r, g, b := uint32(p.Pix[3*i]), uint32(p.Pix[3*i+1]), uint32(p.Pix[3*i+2])
		out.Pix[i] = byte((r*19595 + g*38470 + b*7471 + 0x8000) >> 16)
	}
	return out
}

// format is one picture format; each lives in its own file and registers from
// init().
type format struct {
	name   string
	magic  func([]byte) bool
	size   func([]byte) (width, height int, err error) // reads the header only
	decode func([]byte) (*Picture, error)              // RGB
	// orientation is the EXIF value 1 to 8, 1 where there is none.
	orientation func([]byte) int
}

var formats []format

func registerFormat(f format) {
	for _, other := range formats {
		if other.name == f.name {
			panic("vision: picture format registered twice: " + f.name)
		}
	}
	formats = append(formats, f)
}

// known are formats that are named in the refusal though nothing reads them.
var known = map[string]string{"GIF8": "GIF", "RIFF": "WebP", "BM": "BMP", "II*\x00": "TIFF", "MM\x00*": "TIFF", "%PDF": "PDF", "<svg": "SVG"}

// Decode reads a PNG or JPEG as Pillow's convert("RGB") gives it after
// ImageOps.exif_transpose. The limit is checked from the header, before any
// pixel is decoded.
func Decode(encoded []byte, limit Limit) (*Picture, error) {
	f, err := sniff(encoded)
	if err != nil {
		return nil, err
	}
	if len(encoded) > limit.Bytes {
		return nil, fmt.Errorf("vision: %w: the file has %d bytes, at most %d are allowed; send a smaller picture", ErrTooLarge, len(encoded), limit.Bytes)
	}
	w, h, err := f.size(encoded)
	if err != nil {
		return nil, fmt.Errorf("vision: %w: the %s header cannot be read (%w); save the picture again", ErrImage, f.name, err)
	}
	if w <= 0 || h <= 0 {
		return nil, fmt.Errorf("vision: %w: the %s header announces %d × %d pixels; save the picture again", ErrImage, f.name, w, h)
	}
	if w > limit.Side || h > limit.Side || w > limit.Pixels/h {
		return nil, fmt.Errorf("vision: %w: it has %d × %d pixels, at most %d a side and %d in all are allowed; scale it down", ErrTooLarge, w, h, limit.Side, limit.Pixels)
	}
	p, err := f.decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("vision: %w: the %s data is damaged or cut short (%w); send the whole file", ErrImage, f.name, err)
	}
	return upright(p, f.orientation(encoded)), nil
}

func sniff(encoded []byte) (format, error) {
	for _, f := range formats {
		if f.magic(encoded) {
			return f, nil
		}
	}
	for magic, name := range known {
		if len(encoded) >= len(magic) && string(encoded[:len(magic)]) == magic {
			return format{}, fmt.Errorf("vision: %w: %s pictures are not read; convert it to PNG or JPEG", ErrUnsupported, name)
		}
	}
	return format{}, fmt.Errorf("vision: %w: it is neither PNG nor JPEG; send one of these", ErrImage)
}
