package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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

// The decoder follows ITU T.81 for the syntax and libjpeg-turbo, as Pillow uses
// it, for everything that T.81 leaves open: the integer inverse DCT ("islow"),
// "fancy" chroma upsampling and the fixed-point colour tables. The pixels are
// Pillow's, bit for bit.

// Markers.
const (
	mSOF0, mSOF2         = 0xc0, 0xc2
	mDHT, mDQT, mDRI     = 0xc4, 0xdb, 0xdd
	mRST0, mRST7         = 0xd0, 0xd7
	mSOI, mEOI, mSOS     = 0xd8, 0xd9, 0xda
	mAPP0, mAPP1, mAPP14 = 0xe0, 0xe1, 0xee
)

// Values of the Adobe marker's transform byte; -1 where there is no marker.
const (
	adobeNone = -1
	adobeRGB  = 0
	adobeYCCK = 2
)

// maxScans bounds a progressive file, which has about ten: an empty scan of few
// bytes still visits every block.
const maxScans = 200

var errShort = errors.New("it ends too early")

// component is one colour plane of the frame.
type component struct {
	id, h, v, tq   int
	width, height  int // samples that belong to the picture
	blocksW        int // blocks a row, padded to whole MCUs
	blocksH        int
	realW, realH   int // blocks of a scan of this component alone
	coefficients   []int16
	plane          []byte // blocksH*8 rows of blocksW*8 samples
	dc             int32
	dcTable, acTab int
}

// jpegFile is one decoding.
type jpegFile struct {
	data          []byte
	at            int
	width, height int
	progressive   bool
	comps         []*component
	hMax, vMax    int
	mcuW, mcuH    int
	quant         [4][64]uint16 // natural order
	haveQuant     [4]bool
	huff          [2][4]*huffman // DC, AC
	restart       int
	jfif          bool
	adobe         int
	scans         int
	bits          bitReader
	eobRun        int
}

func jpegSize(b []byte) (int, int, error) {
	f := &jpegFile{data: b, at: 2, adobe: adobeNone}
	err := f.segments(func(marker byte, body []byte) (bool, error) {
		if isSOF(marker) {
			return true, f.readFrame(marker, body, false)
		}
		return marker == mSOS || marker == mEOI, nil
	})
	if err == nil && f.width == 0 {
		err = errors.New("no frame header")
	}
	return f.width, f.height, err
}

// isSOF is any start of frame, whether it is run or not.
func isSOF(m byte) bool { return m >= 0xc0 && m <= 0xcf && m != mDHT && m != 0xc8 && m != 0xcc }

// segments walks the marker segments; visit ends the walk with true.
func (f *jpegFile) segments(visit func(marker byte, body []byte) (bool, error)) error {
	for {
		marker, err := f.nextMarker()
		if err != nil {
			return err
		}
		var body []byte
		if marker != mEOI && marker != mSOI && (marker < mRST0 || marker > mRST7) && marker != 0x01 {
			if f.at+2 > len(f.data) {
				return errShort
			}
			n := int(binary.BigEndian.Uint16(f.data[f.at:]))
			if n < 2 || f.at+n > len(f.data) {
				return errShort
			}
			body = f.data[f.at+2 : f.at+n]
			f.at += n
		}
		if done, err := visit(marker, body); err != nil || done {
			return err
		}
	}
}

// nextMarker skips to the next marker; bytes between segments are ignored as
// libjpeg ignores them.
func (f *jpegFile) nextMarker() (byte, error) {
	for f.at+1 < len(f.data) {
		if f.data[f.at] != 0xff {
			f.at++
			continue
		}
		m := f.data[f.at+1]
		if m == 0xff || m == 0 {
			f.at++
			continue
		}
		f.at += 2
		return m, nil
	}
	return 0, errShort
}

func decodeJPEG(b []byte) (*Picture, error) {
	f := &jpegFile{data: b, at: 2, adobe: adobeNone}
	if err := f.segments(f.segment); err != nil {
		return nil, err
	}
	if f.comps == nil || f.scans == 0 {
		return nil, errors.New("no picture data")
	}
	for _, c := range f.comps {
		if !f.haveQuant[c.tq] {
			return nil, errors.New("no quantisation table")
		}
		if c.coefficients != nil {
			c.inverse(&f.quant[c.tq])
		}
	}
	return f.picture(), nil
}

func (f *jpegFile) segment(marker byte, body []byte) (bool, error) {
	switch {
	case isSOF(marker):
		return false, f.readFrame(marker, body, true)
	case marker == mDHT:
		return false, f.readHuffman(body)
	case marker == mDQT:
		return false, f.readQuant(body)
	case marker == mDRI:
		if len(body) < 2 {
			return false, errShort
		}
		f.restart = int(binary.BigEndian.Uint16(body))
	case marker == mAPP0:
		f.jfif = f.jfif || bytes.HasPrefix(body, []byte("JFIF\x00"))
	case marker == mAPP14:
		if bytes.HasPrefix(body, []byte("Adobe")) && len(body) >= 12 {
			f.adobe = int(body[11])
		}
	case marker == mSOS:
		return false, f.readScan(body)
	case marker == mEOI:
		return true, nil
	}
	return false, nil
}

// readFrame reads a start of frame and, with allocate, makes the planes.
func (f *jpegFile) readFrame(marker byte, body []byte, allocate bool) error {
	if marker > mSOF2 {
		return fmt.Errorf("its coding, SOF%d, is not baseline or progressive Huffman coding", marker-mSOF0)
	}
	if f.comps != nil {
		return errors.New("a second frame")
	}
	if len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return errShort
	}
	if body[0] != 8 {
		return fmt.Errorf("it has %d bits a sample, 8 are read", body[0])
	}
	f.progressive = marker == mSOF2
	f.height, f.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	n := int(body[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("it has %d colour components", n)
	}
	if f.width == 0 || f.height == 0 {
		return errors.New("it has no height or width")
	}
	var comps []*component
	for i := range n {
		s := body[6+3*i:]
		c := &component{id: int(s[0]), h: int(s[1] >> 4), v: int(s[1] & 15), tq: int(s[2])}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return errors.New("impossible sampling factors")
		}
		for _, other := range comps {
			if other.id == c.id {
				return errors.New("two components with one number")
			}
		}
		f.hMax, f.vMax = max(f.hMax, c.h), max(f.vMax, c.v)
		comps = append(comps, c)
	}
	if !allocate {
		return nil
	}
	f.comps = comps
	f.allocate()
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (f *jpegFile) allocate() {
	f.mcuW, f.mcuH = ceilDiv(f.width, 8*f.hMax), ceilDiv(f.height, 8*f.vMax)
	for _, c := range f.comps {
		c.width, c.height = ceilDiv(f.width*c.h, f.hMax), ceilDiv(f.height*c.v, f.vMax)
		c.realW, c.realH = ceilDiv(c.width, 8), ceilDiv(c.height, 8)
		c.blocksW, c.blocksH = f.mcuW*c.h, f.mcuH*c.v
		c.plane = make([]byte, c.blocksW*c.blocksH*64)
		if f.progressive {
			c.coefficients = make([]int16, c.blocksW*c.blocksH*64)
		}
	}
}

func (f *jpegFile) readQuant(body []byte) error {
	for len(body) > 0 {
		wide, id := int(body[0]>>4), int(body[0]&15)
		n := 65 + 64*wide
		if wide > 1 || id > 3 || len(body) < n {
			return errors.New("bad quantisation table")
		}
		for i := range 64 {
			if wide == 1 {
				f.quant[id][zigzag[i]] = binary.BigEndian.Uint16(body[1+2*i:])
			} else {
				f.quant[id][zigzag[i]] = uint16(body[1+i])
			}
		}
		f.haveQuant[id] = true
		body = body[n:]
	}
	return nil
}

// jpegOrientation reads the first Exif APP1 segment before the scan.
func jpegOrientation(b []byte) int {
	f := &jpegFile{data: b, at: 2}
	orientation := 1
	_ = f.segments(func(marker byte, body []byte) (bool, error) { // what cannot be read has no orientation
		if marker == mAPP1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			orientation = exifOrientation(body[6:])
			return true, nil
		}
		return marker == mSOS || marker == mEOI, nil
	})
	return orientation
}
