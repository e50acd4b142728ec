package vision

// inverse transforms every block of a progressive component.
func (c *component) inverse(q *[64]uint16) {
	for at := range c.blocksW * c.blocksH {
		c.inverseBlock((*[64]int16)(c.coefficients[at*64:]), q, at)
	}
	c.coefficients = nil
}

// Constants of jidctint.c in 13-bit fixed point.
const (
	constBits, pass1Bits = 13, 2

	fix0298 = 2446
	fix0390 = 3196
	fix0541 = 4433
	fix0765 = 6270
	fix0899 = 7373
	fix1175 = 9633
	fix1501 = 12299
	fix1847 = 15137
	fix1961 = 16069
	fix2053 = 16819
	fix2562 = 20995
	fix3072 = 25172
)

// butterfly is one 8-point inverse transform of jpeg_idct_islow, scaled by
// 2^13.
func butterfly(in *[8]int32) (out [8]int32) {
	z1 := (in[2] + in[6]) * fix0541
	t2, t3 := z1-in[6]*fix1847, z1+in[2]*fix0765
	t0, t1 := (in[0]+in[4])<<constBits, (in[0]-in[4])<<constBits
	t10, t13, t11, t12 := t0+t3, t0-t3, t1+t2, t1-t2

	t0, t1, t2, t3 = in[7], in[5], in[3], in[1]
	z1, z2, z3, z4 := t0+t3, t1+t2, t0+t2, t1+t3
	z5 := (z3 + z4) * fix1175
	z1, z2 = -z1*fix0899, -z2*fix2562
	z3, z4 = z5-z3*fix1961, z5-z4*fix0390
	t0 = t0*fix0298 + z1 + z3
	t1 = t1*fix2053 + z2 + z4
	t2 = t2*fix3072 + z2 + z3
	t3 = t3*fix1501 + z1 + z4
	return [8]int32{t10 + t3, t11 + t2, t12 + t1, t13 + t0, t13 - t0, t12 - t1, t11 - t2, t10 - t3}
}

// inverseBlock dequantises block number at, transforms it and writes its
// samples to the plane.
func (c *component) inverseBlock(b *[64]int16, q *[64]uint16, at int) {
	var work [64]int32
	var in [8]int32
	const shift1, shift2 = constBits - pass1Bits, constBits + pass1Bits + 3
	for x := range 8 {
		for y := range 8 {
			in[y] = int32(b[8*y+x]) * int32(q[8*y+x])
		}
		for y, v := range butterfly(&in) {
			work[8*y+x] = (v + 1<<(shift1-1)) >> shift1
		}
	}
	stride := c.blocksW * 8
	to := c.plane[(at/c.blocksW)*8*stride+(at%c.blocksW)*8:]
	for y := range 8 {
		copy(in[:], work[8*y:8*y+8])
		for x, v := range butterfly(&in) {
			to[y*stride+x] = byte(min(max((v+1<<(shift2-1))>>shift2+128, 0), 255))
		}
	}
}
