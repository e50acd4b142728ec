package gguf

// The block formats of ggml (ggml-common.h, ggml-quants.c). Products and sums are rounded one by one, never fused, so
// that the values are the reference's on every machine.

// widenQ8_0: a scale and 32 signed bytes.
func widenQ8_0(dst []float32, raw []byte) {
	for ; len(raw) > 0; dst, raw = dst[32:], raw[34:] {
		d := half(raw)
		for i, q := range raw[2:34] {
			dst[i] = d * float32(int8(q))
		}
	}
}

// widenQ4_0: a scale and 32 numbers from -8 to 7, the first 16 in the low halves of the bytes.
func widenQ4_0(dst []float32, raw []byte) {
	for ; len(raw) > 0; dst, raw = dst[32:], raw[18:] {
		d := half(raw)
		for i, q := range raw[2:18] {
			dst[i] = d * float32(int(q&15)-8)
			dst[i+16] = d * float32(int(q>>4)-8)
		}
	}
}

// widenQ4_1: a scale, a minimum and 32 numbers from 0 to 15.
func widenQ4_1(dst []float32, raw []byte) {
	for ; len(raw) > 0; dst, raw = dst[32:], raw[20:] {
		d, m := half(raw), half(raw[2:])
		for i, q := range raw[4:20] {
			dst[i] = float32(d*float32(q&15)) + m
			dst[i+16] = float32(d*float32(q>>4)) + m
		}
	}
}

// scaleMin unpacks the j-th of eight 6-bit scales and minima from 12 bytes.
func scaleMin(s []byte, j int) (scale, low float32) {
	if j < 4 {
		return float32(s[j] & 63), float32(s[j+4] & 63)
	}
	return float32(s[j+4]&15 | s[j-4]>>6<<4), float32(s[j+4]>>4 | s[j]>>6<<4)
}

// widenQ4K: 256 numbers from 0 to 15 in eight groups of 32, each with a scale and a minimum.
func widenQ4K(dst []float32, raw []byte) {
	for ; len(raw) > 0; dst, raw = dst[256:], raw[144:] {
		d, low, scales, q := half(raw), half(raw[2:]), raw[4:16], raw[16:144]
		for j := 0; j < 8; j += 2 {
			s0, m0 := scaleMin(scales, j)
			s1, m1 := scaleMin(scales, j+1)
			a0, b0, a1, b1 := d*s0, low*m0, d*s1, low*m1
			for i, c := range q[16*j : 16*j+32] {
				dst[32*j+i] = float32(a0*float32(c&15)) - b0
				dst[32*j+32+i] = float32(a1*float32(c>>4)) - b1
			}
		}
	}
}

// widenQ5K is widenQ4K with a fifth bit for each number.
func widenQ5K(dst []float32, raw []byte) {
	for ; len(raw) > 0; dst, raw = dst[256:], raw[176:] {
		d, low, scales, high, q := half(raw), half(raw[2:]), raw[4:16], raw[16:48], raw[48:176]
		for j := 0; j < 8; j += 2 {
			s0, m0 := scaleMin(scales, j)
			s1, m1 := scaleMin(scales, j+1)
			a0, b0, a1, b1 := d*s0, low*m0, d*s1, low*m1
			for i, c := range q[16*j : 16*j+32] {
				dst[32*j+i] = float32(a0*float32(c&15|high[i]>>j&1<<4)) - b0
				dst[32*j+32+i] = float32(a1*float32(c>>4|high[i]>>(j+1)&1<<4)) - b1
			}
		}
	}
}

// widenQ6K: 256 numbers from -32 to 31 in sixteen groups of 16, each with a signed scale.
func widenQ6K(dst []float32, raw []byte) {
	for ; len(raw) > 0; dst, raw = dst[256:], raw[210:] {
		d := half(raw[208:])
		for n := range 2 {
			low, high, scales, out := raw[64*n:64*n+64], raw[128+32*n:160+32*n], raw[192+8*n:200+8*n], dst[128*n:128*n+128]
			for i := range 32 {
				for part, q := range [4]byte{
					low[i]&15 | high[i]&3<<4, low[i+32]&15 | high[i]>>2&3<<4,
					low[i]>>4 | high[i]>>4&3<<4, low[i+32]>>4 | high[i]>>6<<4,
				} {
					scale := d * float32(int8(scales[2*part+i/16]))
					out[32*part+i] = scale * float32(int(q)-32)
				}
			}
		}
	}
}
