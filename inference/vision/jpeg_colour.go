package vision

// picture upsamples the planes and converts them to RGB.
func (f *jpegFile) picture() *Picture {
	p := newPicture(f.width, f.height, 3)
	rows := make([][]byte, len(f.comps))
	for i := range rows {
		rows[i] = make([]byte, f.mcuW*f.hMax*8+8)
	}
	convert := f.conversion()
	for y := range f.height {
		for i, c := range f.comps {
			f.upsample(c, y, rows[i])
		}
		convert(p.Pix[3*y*f.width:][:3*f.width], rows)
	}
	return p
}

// row is one row of samples that belong to the picture.
func (c *component) row(y int) []byte {
	y = min(max(y, 0), c.height-1)
	return c.plane[y*c.blocksW*8:][:c.width]
}

// upsample writes row y of the picture, as jdsample.c chooses and computes it.
func (f *jpegFile) upsample(c *component, y int, out []byte) {
	h, v := f.hMax/c.h, f.vMax/c.v
	whole := f.hMax%c.h == 0 && f.vMax%c.v == 0
	switch {
	case !whole: // libjpeg refuses fractional ratios; take the nearest sample
		for x := range f.width {
			out[x] = c.row(y * c.v / f.vMax)[min(x*c.h/f.hMax, c.width-1)]
		}
	case h == 1 && v == 1:
		copy(out, c.row(y))
	case h == 2 && v == 1 && c.width > 2:
		upsampleH2(c.row(y), out)
	case h == 2 && v == 2 && c.width > 2:
		upsampleH2V2(c.row(y/2), c.row(y/2+2*(y%2)-1), out)
	case h == 1 && v == 2:
		near, far := c.row(y/2), c.row(y/2+2*(y%2)-1)
		bias := 1 + y%2
		for x := range near {
			out[x] = byte((3*int(near[x]) + int(far[x]) + bias) >> 2)
		}
	default:
		for x, s := range c.row(y / v) {
			for i := range h {
				out[x*h+i] = s
			}
		}
	}
}

// upsampleH2 is h2v1_fancy_upsample: 3/4 of the nearer, 1/4 of the further
// sample, with a rounding that alternates.
func upsampleH2(in, out []byte) {
	n := len(in)
	for x, s := range in {
		v := 3 * int(s)
		left, right := int(in[max(x-1, 0)]), int(in[min(x+1, n-1)])
		out[2*x] = byte((v + left + 1) >> 2)
		out[2*x+1] = byte((v + right + 2) >> 2)
	}
	out[0], out[2*n-1] = in[0], in[n-1]
}

// upsampleH2V2 is h2v2_fancy_upsample.
func upsampleH2V2(near, far, out []byte) {
	n := len(near)
	sum := func(x int) int { return 3*int(near[x]) + int(far[x]) }
	last, this := sum(0), sum(0)
	for x := range n {
		next := this
		if x+1 < n {
			next = sum(x + 1)
		}
		out[2*x] = byte((3*this + last + 8) >> 4)
		out[2*x+1] = byte((3*this + next + 7) >> 4)
		last, this = this, next
	}
}

// conversion chooses the colour space as libjpeg's default_decompress_parms.
func (f *jpegFile) conversion() func(out []byte, rows [][]byte) {
	switch len(f.comps) {
	case 1:
		return func(out []byte, rows [][]byte) {
			for x := range len(out) / 3 {
				v := rows[0][x]
				out[3*x], out[3*x+1], out[3*x+2] = v, v, v
			}
		}
	case 3:
		ids := [3]int{f.comps[0].id, f.comps[1].id, f.comps[2].id}
		if !f.jfif && (f.adobe == adobeRGB || f.adobe == adobeNone && ids == [3]int{'R', 'G', 'B'}) {
			return func(out []byte, rows [][]byte) {
				for x := range len(out) / 3 {
					out[3*x], out[3*x+1], out[3*x+2] = rows[0][x], rows[1][x], rows[2][x]
				}
			}
		}
		return func(out []byte, rows [][]byte) {
			for x := range len(out) / 3 {
				out[3*x], out[3*x+1], out[3*x+2] = ycc(rows[0][x], rows[1][x], rows[2][x])
			}
		}
	}
	return f.fourColours
}

// ycc is jdcolor.c's YCbCr to RGB in 16-bit fixed point.
func ycc(y, cb, cr byte) (r, g, b byte) {
	const half = 1 << 15
	l, u, v := int32(y), int32(cb)-128, int32(cr)-128
	r8 := func(x int32) byte { return byte(min(max(x, 0), 255)) }
	return r8(l + (91881*v+half)>>16), r8(l + (-22554*u-46802*v+half)>>16), r8(l + (116130*u+half)>>16)
}

// fourColours is CMYK or YCCK; Adobe files store it inverted. The conversion to
// RGB is Pillow's cmyk2rgb.
func (f *jpegFile) fourColours(out []byte, rows [][]byte) {
	for x := range len(out) / 3 {
		ink := [4]byte{rows[0][x], rows[1][x], rows[2][x], rows[3][x]}
		if f.adobe == adobeYCCK {
			r, g, b := ycc(ink[0], ink[1], ink[2])
			ink[0], ink[1], ink[2] = 255-r, 255-g, 255-b
		}
		if f.adobe != adobeNone {
			for i := range ink {
				ink[i] = 255 - ink[i]
			}
		}
		white := 255 - int(ink[3])
		for i := range 3 {
			t := int(ink[i])*white + 128
			out[3*x+i] = byte(max(white-((t>>8)+t)>>8, 0))
		}
	}
}
