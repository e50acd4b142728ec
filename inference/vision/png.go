package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

func init() {
	registerFormat(format{
		name:        "PNG",
		magic:       func(b []byte) bool { return bytes.HasPrefix(b, []byte(pngMagic)) },
		size:        pngSize,
		decode:      decodePNG,
		orientation: pngOrientation,
	})
}

func pngSize(b []byte) (int, int, error) {
	if len(b) < 33 || string(b[12:16]) != "IHDR" {
		return 0, 0, errors.New("no IHDR")
	}
	w, h := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	if w > 1<<30 || h > 1<<30 {
		w, h = min(w, 1<<30), min(h, 1<<30)
	}
	return int(w), int(h), nil
}

// decodePNG gives what Pillow's convert("RGB") gives: alpha is dropped without
// compositing, 16-bit colour keeps its high byte, 16-bit grey saturates.
func decodePNG(b []byte) (*Picture, error) {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	// Pillow opens 16-bit grey without alpha (IHDR colour type 0) as mode I;16.
	saturate := b[24] == 16 && b[25] == 0
	r := img.Bounds()
	p := newPicture(r.Dx(), r.Dy(), 3)
	for y := range p.Height {
		row := p.Pix[3*y*p.Width:][:3*p.Width]
		if err := rgbRow(row, img, y, saturate); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// rgbRow reads stored samples, never colours premultiplied with alpha.
func rgbRow(row []byte, img image.Image, y int, saturate bool) error {
	n := len(row) / 3
	switch m := img.(type) {
	case *image.Gray:
		for x, v := range m.Pix[y*m.Stride:][:n] {
			row[3*x], row[3*x+1], row[3*x+2] = v, v, v
		}
	case *image.Gray16:
		for x := range n {
			v := narrow(m.Pix[y*m.Stride+2*x:], saturate)
			row[3*x], row[3*x+1], row[3*x+2] = v, v, v
		}
	case *image.RGBA: // colour type 2: opaque, so premultiplying changed nothing
		for x := range n {
			copy(row[3*x:3*x+3], m.Pix[y*m.Stride+4*x:])
		}
	case *image.NRGBA:
		for x := range n {
			copy(row[3*x:3*x+3], m.Pix[y*m.Stride+4*x:])
		}
	case *image.RGBA64:
		wideRow(row, m.Pix[y*m.Stride:], saturate)
	case *image.NRGBA64:
		wideRow(row, m.Pix[y*m.Stride:], saturate)
	case *image.Paletted:
		return palettedRow(row, m, y)
	default:
		return errors.New("unexpected pixel layout")
	}
	return nil
}

// narrow brings a big-endian 16-bit sample to 8 bits.
func narrow(b []byte, saturate bool) byte {
	if saturate && b[0] > 0 {
		return 255
	} else if saturate {
		return b[1]
	}
	return b[0]
}

func wideRow(row, pix []byte, saturate bool) {
	for x := range len(row) / 3 {
		for c := range 3 {
			row[3*x+c] = narrow(pix[8*x+2*c:], saturate)
		}
	}
}

func palettedRow(row []byte, m *image.Paletted, y int) error {
	for x, i := range m.Pix[y*m.Stride:][:len(row)/3] {
		switch c := m.Palette[i].(type) {
		case color.RGBA: // opaque
			row[3*x], row[3*x+1], row[3*x+2] = c.R, c.G, c.B
		case color.NRGBA:
			row[3*x], row[3*x+1], row[3*x+2] = c.R, c.G, c.B
		default:
			return errors.New("unexpected palette entry")
		}
	}
	return nil
}

// pngOrientation reads the eXIf chunk.
func pngOrientation(b []byte) int {
	for at := len(pngMagic); at+12 <= len(b); {
		n := int64(binary.BigEndian.Uint32(b[at:]))
		if int64(at)+12+n > int64(len(b)) {
			break
		}
		if string(b[at+4:at+8]) == "eXIf" {
			return exifOrientation(b[at+8 : at+8+int(n)])
		}
		at += 12 + int(n)
	}
	return 1
}
