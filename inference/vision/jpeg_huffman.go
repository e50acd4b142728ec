package vision

import "errors"

// zigzag maps the place in the file to the place in the block.
var zigzag = [64]int{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

var errCode = errors.New("a code word that no table holds")

// huffman is a decoding table: codes of up to 8 bits by lookup, longer ones by
// comparing with the largest code of each length (T.81, F.2.2.3).
type huffman struct {
	fast    [256]uint16 // length<<8 | value, 0: longer than 8 bits
	maxCode [18]int32   // -1: no code of this length
	offset  [17]int32   // index of the first value minus the first code
	values  []byte
}

func (f *jpegFile) readHuffman(body []byte) error {
	for len(body) > 0 {
		if len(body) < 17 {
			return errShort
		}
		class, id := int(body[0]>>4), int(body[0]&15)
		n := 0
		for _, c := range body[1:17] {
			n += int(c)
		}
		if class > 1 || id > 3 || n > 256 || len(body) < 17+n {
			return errors.New("bad Huffman table")
		}
		h, err := newHuffman(body[1:17], body[17:17+n])
		if err != nil {
			return err
		}
		f.huff[class][id] = h
		body = body[17+n:]
	}
	return nil
}

func newHuffman(counts, values []byte) (*huffman, error) {
	h := &huffman{values: append([]byte(nil), values...)}
	code, k := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		n := int32(counts[length-1])
		h.offset[length] = k - code
		if n == 0 {
			h.maxCode[length] = -1
		} else {
			if code+n > 1<<length {
				return nil, errors.New("bad Huffman table")
			}
			if length <= 8 {
				for i := range n {
					first := (code + i) << (8 - length)
					for j := range int32(1) << (8 - length) {
						h.fast[first+j] = uint16(length)<<8 | uint16(values[k+i])
					}
				}
			}
			code += n
			k += n
			h.maxCode[length] = code - 1
		}
		code <<= 1
	}
	h.maxCode[17] = -1
	return h, nil
}

// bitReader reads entropy-coded data: FF00 is a byte FF, any other FF ends the
// data.
type bitReader struct {
	data []byte
	at   int
	acc  uint32
	n    int // bits in acc
	// past counts bits read beyond the end of the data; a code that ends in
	// them is an error.
	past int
}

func (b *bitReader) reset(at int) { b.at, b.acc, b.n, b.past = at, 0, 0, 0 }

// fill makes at least 16 bits available, with zeros behind the end.
func (b *bitReader) fill() {
	for b.n <= 24 {
		var c byte
		switch {
		case b.at < len(b.data) && b.data[b.at] != 0xff:
			c = b.data[b.at]
			b.at++
		case b.at+1 < len(b.data) && b.data[b.at] == 0xff && b.data[b.at+1] == 0:
			c = 0xff
			b.at += 2
		default:
			b.past += 8
		}
		b.acc |= uint32(c) << (24 - b.n)
		b.n += 8
	}
}

func (b *bitReader) skip(n int) { b.acc <<= n; b.n -= n }

// over is true once bits behind the end of the data were used.
func (b *bitReader) over() bool { return b.past > b.n }

func (b *bitReader) bits(n int) int32 {
	if n == 0 {
		return 0
	}
	if b.n < n {
		b.fill()
	}
	v := int32(b.acc >> (32 - n))
	b.skip(n)
	return v
}

// extended reads n bits as a signed difference (T.81, F.2.2.1).
func (b *bitReader) extended(n int) int32 {
	v := b.bits(n)
	if n > 0 && v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}

func (b *bitReader) decode(h *huffman) (byte, error) {
	if b.n < 16 {
		b.fill()
	}
	if e := h.fast[b.acc>>24]; e != 0 {
		b.skip(int(e >> 8))
		return byte(e), nil
	}
	for length := 9; length <= 16; length++ {
		code := int32(b.acc >> (32 - length))
		if code <= h.maxCode[length] {
			b.skip(length)
			return h.values[code+h.offset[length]], nil
		}
	}
	return 0, errCode
}
