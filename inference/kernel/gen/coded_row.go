package main

import (
	"fmt"
	"math"
)

// Registers of a row times two coded panels: four vectors of chains and, where the code has them, of lows; words of codes, or scales where these need no
// table; the value of A and the mask of a place; codes and values in turn.
const (
	rowLow    = 4
	rowWords  = 8
	rowMask   = 12
	rowA      = 13
	rowValues = 14
)

// codedRow writes the product of one row of A with two coded panels over whole runs, without storing what the codes widen to. table has room for 7·32 values:
// the scale of each place in a word, for 32 columns.
func (w *writer) codedRow() {
	for _, c := range codes {
		name := "row_" + c.name + "_avx2"
		sig := fmt.Sprintf("func %s(runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32)", name)
		w.decls = append(w.decls, sig)
		w.function(name, sig, 56)
		for i, reg := range []string{"CX", "AX", "SI", "DX", "DI", "R8", "BX"} {
			w.op("MOVQ %s+%d(FP), %s", []string{"runs", "a", "b0", "b1", "c0", "c1", "table"}[i], 8*i, reg)
		}
		for v := range 4 {
			w.xor(v, v, w.r(v))
		}
		w.label("loop")
		for at := 0; at < c.size(); at += 64 {
			w.op("PREFETCHT0 %d(SI)", codeAhead*c.size()+at)
			w.op("PREFETCHT0 %d(DX)", codeAhead*c.size()+at)
		}
		if c.low {
			for v := range 4 {
				w.rowScale(c, rowLow+v, 1, v)
			}
		}
		if c.nibbles {
			w.rowNibbles(c)
		} else {
			w.rowBytes(c)
		}
		w.op("ADDQ $128, AX")
		w.op("ADDQ $%d, SI", c.size())
		w.op("ADDQ $%d, DX", c.size())
		w.op("SUBQ $1, CX")
		w.op("JNE loop")
		for v := range 4 {
			w.op("VMOVUPS Y%d, %d(%s)", v, v%2*32, []string{"DI", "R8"}[v/2])
		}
		w.op("VZEROUPPER")
		w.op("RET")
	}
}

func panelOf(v int) string { return []string{"SI", "DX"}[v/2] }

// rowScale loads scale or low i of vector v of columns.
func (w *writer) rowScale(c code, r, i, v int) {
	if c.wide {
		w.load(r, fmt.Sprintf("%d(%s)", 64*i+v%2*32, panelOf(v)))
	} else {
		w.op("VCVTPH2PS %d(%s), Y%d", 32*i+v%2*16, panelOf(v), r)
	}
}

// rowNibbles leaves nibbles in their places; see codeNibbles.
func (w *writer) rowNibbles(c code) {
	scale := func(place, v int) string {
		if place == 7 || c.minus > 0 {
			place = 0
		}
		return fmt.Sprintf("%d(BX)", 128*place+32*v)
	}
	for v := range 4 {
		w.rowScale(c, rowWords+v, 0, v)
		w.op("VMOVUPS Y%d, %s", rowWords+v, scale(0, v))
	}
	for i := 1; i < 7 && c.minus == 0; i++ {
		w.load(rowMask, w.c(math.Ldexp(1, -4*i)))
		for v := range 4 {
			w.mul(rowValues+v%2, rowMask, w.r(rowWords+v))
			w.op("VMOVUPS Y%d, %s", rowValues+v%2, scale(i, v))
		}
	}
	for k := range 32 {
		j, place := k%16/4, k%4*2+k/16
		if k%4 == 0 {
			for v := range 4 {
				w.load(rowWords+v, fmt.Sprintf("%d(%s)", c.head()+64*j+v%2*32, panelOf(v)))
			}
		}
		w.op("VBROADCASTSS %d(AX), Y%d", 4*k, rowA)
		if place < 7 {
			bits := uint32(15) << (4 * place)
			if c.minus > 0 {
				bits = 15
			}
			w.load(rowMask, w.bits(bits))
		}
		for v := range 4 {
			x := rowValues + v%2
			switch {
			case place == 7:
				w.op("VPSRLD $28, Y%d, Y%d", rowWords+v, x)
			case place > 0 && c.minus > 0:
				w.op("VPSRLD $%d, Y%d, Y%d", 4*place, rowWords+v, x)
				w.op("VPAND Y%d, Y%d, Y%d", rowMask, x, x)
			default:
				w.op("VPAND Y%d, Y%d, Y%d", rowMask, rowWords+v, x)
			}
			if c.minus > 0 {
				w.op("VPSUBD %s, Y%d, Y%d", w.bits(uint32(c.minus)), x, x)
			}
			w.op("VCVTDQ2PS Y%d, Y%d", x, x)
			if c.low {
				w.op("VFMADD132PS %s, Y%d, Y%d", scale(place, v), rowLow+v, x)
			} else {
				w.op("VMULPS %s, Y%d, Y%d", scale(place, v), x, x)
			}
			w.fma(v, rowA, w.r(x))
		}
	}
}

func (w *writer) rowBytes(c code) {
	for k := range 32 {
		if k%(32/c.scales) == 0 {
			for v := range 4 {
				w.rowScale(c, rowWords+v, k/16*(c.scales-1), v)
			}
		}
		w.op("VBROADCASTSS %d(AX), Y%d", 4*k, rowA)
		for v := range 4 {
			x := rowValues + v%2
			w.op("VPMOVSXBD %d(%s), Y%d", c.head()+16*k+v%2*8, panelOf(v), x)
			w.op("VCVTDQ2PS Y%d, Y%d", x, x)
			if c.low {
				w.op("VFMADD213PS Y%d, Y%d, Y%d", rowLow+v, rowWords+v, x)
			} else {
				w.op("VMULPS Y%d, Y%d, Y%d", rowWords+v, x, x)
			}
			w.fma(v, rowA, w.r(x))
		}
	}
}
