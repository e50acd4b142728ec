package vision

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"image/jpeg"
)

func init() {
	registerFormat(format{
		name:        "JPEG",
		magic:       func(b []byte) bool { return bytes.HasPrefix(b, []byte("\xff\xd8\xff")) },
		size:        jpegSize,
		decode:      decodeJPEG,
		orientation: jpegOrientation,
	})
}

func jpegSize(b []byte) (int, int, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	return c.Width, c.Height, err
}

func decodeJPEG(b []byte) (*Picture, error) {
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	r := img.Bounds()
	wide := image.NewNRGBA(r)
	draw.Draw(wide, r, img, r.Min, draw.Src)
	p := newPicture(r.Dx(), r.Dy(), 3)
	for i := range p.Width * p.Height {
		copy(p.Pix[3*i:3*i+3], wide.Pix[4*i:])
	}
	return p, nil
}

// jpegOrientation reads the first Exif APP1 segment before the scan.
func jpegOrientation(b []byte) int {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker := b[at+1]
		if marker == 0xff { // fill byte
			at++
			continue
		}
		if marker == 0xda || marker == 0xd9 {
			break
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if n < 2 || at+2+n > len(b) {
			break
		}
		body := b[at+4 : at+2+n]
		if marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return exifOrientation(body[6:])
		}
		at += 2 + n
	}
	return 1
}
