//go:build (amd64 || arm64) && !noasm

package kernel

// One assembly call takes at most this many elements, so that it ends within a few dozen microseconds and the scheduler is never blocked for longer.
const asmElements = 8192

// The adapters turn assembly over pointers into the slice functions of the table. The reslicing to the length of dst is what keeps the assembly, which
// checks nothing, inside its operands.

func asm1(f func(n int, dst, a *float32)) func(dst, a []float32) {
	return func(dst, a []float32) {
		a = a[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i])
		}
	}
}

func asm2(f func(n int, dst, a, b *float32)) func(dst, a, b []float32) {
	return func(dst, a, b []float32) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], &b[i])
		}
	}
}

func asm3(f func(n int, dst, a, b, c *float32)) func(dst, a, b, c []float32) {
	return func(dst, a, b, c []float32) {
		a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], &b[i], &c[i])
		}
	}
}

func asm1s(f func(n int, dst, a *float32, s float32)) func(dst, a []float32, s float32) {
	return func(dst, a []float32, s float32) {
		a = a[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], s)
		}
	}
}

func asm1st(f func(n int, dst, a *float32, s, t float32)) func(dst, a []float32, s, t float32) {
	return func(dst, a []float32, s, t float32) {
		a = a[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], s, t)
		}
	}
}

func asm2s(f func(n int, dst, a, b *float32, s float32)) func(dst, a, b []float32, s float32) {
	return func(dst, a, b []float32, s float32) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], &b[i], s)
		}
	}
}

func asm2st(f func(n int, dst, a, b *float32, s, t float32)) func(dst, a, b []float32, s, t float32) {
	return func(dst, a, b []float32, s, t float32) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], &b[i], s, t)
		}
	}
}

func asm2stu(f func(n int, dst, a, b *float32, s, t, u float32)) func(dst, a, b []float32, s, t, u float32) {
	return func(dst, a, b []float32, s, t, u float32) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], &b[i], s, t, u)
		}
	}
}

func asm3st(f func(n int, dst, a, b, c *float32, s, t float32)) func(dst, a, b, c []float32, s, t float32) {
	return func(dst, a, b, c []float32, s, t float32) {
		a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
		for i := 0; i < len(dst); i += asmElements {
			f(min(asmElements, len(dst)-i), &dst[i], &a[i], &b[i], &c[i], s, t)
		}
	}
}

// The reductions keep their 16 lanes in memory between calls.

func asmSum(f func(n int, lanes *[16]float32, a *float32)) func(x []float32) float32 {
	return func(x []float32) float32 {
		var l [lanes]float32
		for i := 0; i < len(x); i += asmElements {
			f(min(asmElements, len(x)-i), &l, &x[i])
		}
		return fold(&l)
	}
}

func asmDot(f func(n int, lanes *[16]float32, a, b *float32)) func(x, y []float32) float32 {
	return func(x, y []float32) float32 {
		var l [lanes]float32
		y = y[:len(x)]
		for i := 0; i < len(x); i += asmElements {
			f(min(asmElements, len(x)-i), &l, &x[i], &y[i])
		}
		return fold(&l)
	}
}

func asmSquares(f func(n int, lanes *[16]float32, a *float32, s float32)) func(x []float32, mean float32) float32 {
	return func(x []float32, mean float32) float32 {
		var l [lanes]float32
		for i := 0; i < len(x); i += asmElements {
			f(min(asmElements, len(x)-i), &l, &x[i], mean)
		}
		return fold(&l)
	}
}

func asmMax(f func(n int, lanes *[16]float32, a *float32)) func(x []float32) float32 {
	return func(x []float32) float32 {
		var l [lanes]float32
		for j := range l {
			l[j] = negInf
		}
		for i := 0; i < len(x); i += asmElements {
			f(min(asmElements, len(x)-i), &l, &x[i])
		}
		m := l[0]
		for _, v := range l[1:] {
			m = max(m, v)
		}
		return m
	}
}

// asmSoftmax leaves rows that one call should not take to the parts.
func (t *table) asmSoftmax(f func(n int, dst, a *float32, s float32)) func(dst, a []float32, s float32) {
	return func(dst, a []float32, s float32) {
		a = a[:len(dst)]
		if len(dst) > asmElements || len(dst) == 0 {
			t.softmaxParts(dst, a, s)
			return
		}
		f(len(dst), &dst[0], &a[0], s)
	}
}

// asmTranspose transposes 8×8 blocks by f and what is left over element by element.
func asmTranspose(f func(blocks int, dst *float32, ldd int, src *float32, lds int)) func(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	return func(dst []float32, ldd int, src []float32, lds, rows, cols int) {
		r8, c8 := rows/8*8, cols/8*8
		if r8 > 0 && c8 > 0 {
			_, _ = dst[(c8-1)*ldd+r8-1], src[(r8-1)*lds+c8-1]
			for r := 0; r < r8; r += 8 {
				for c := 0; c < c8; c += asmElements / 8 {
					f(min(asmElements/64, (c8-c)/8), &dst[c*ldd+r], ldd, &src[r*lds+c], lds)
				}
			}
		}
		if c8 < cols && r8 > 0 {
			transposeGeneric(dst[c8*ldd:], ldd, src[c8:], lds, r8, cols-c8)
		}
		if r8 < rows {
			transposeGeneric(dst[r8:], ldd, src[r8*lds:], lds, rows-r8, cols)
		}
	}
}

func asmWiden(f func(n int, dst *float32, src *uint16)) func(dst []float32, src []uint16) {
	return func(dst []float32, src []uint16) {
		src = src[:len(dst)/panelWidth*panelWidth]
		for i := 0; i < len(src); i += asmElements {
			f(min(asmElements, len(src)-i), &dst[i], &src[i])
		}
	}
}

// asmCoded dispatches on the code; a call takes a stretch that fits the first-level cache several times over.
func asmCoded(list [codes]func(runs int, dst *float32, src *uint32)) func(c Code, dst []float32, runs []uint32) {
	return func(c Code, dst []float32, runs []uint32) {
		w := c.words()
		n := len(runs) / w
		_ = dst[:n*RunValues*panelWidth]
		for i := 0; i < n; i += asmRuns {
			list[c](min(asmRuns, n-i), &dst[i*RunValues*panelWidth], &runs[i*w])
		}
	}
}

// asmRuns is how many runs one call widens: a few microseconds.
const asmRuns = 64

// asmCodedRow dispatches on the code and takes two panels a call; a last one alone is computed twice.
func asmCodedRow(list [codes]func(runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32)) func(b *Panel, p0, panels int, a, c []float32) {
	return func(b *Panel, p0, panels int, a, c []float32) {
		runs, per := b.K/RunValues, b.K/RunValues*b.code.words()
		_, _, _ = a[b.K-1], c[panels*panelWidth-1], b.coded[(p0+panels)*per-1]
		s := scratch(codePlaces * 2 * panelWidth)
		defer release(s)
		for p := 0; p < panels; p += 2 {
			q := min(p+1, panels-1)
			list[b.code](runs, &a[0], &b.coded[(p0+p)*per], &b.coded[(p0+q)*per], &c[p*panelWidth], &c[q*panelWidth], &(*s)[0])
		}
	}
}

// codePlaces is how many scales a word of nibbles needs for each column.
const codePlaces = 7
