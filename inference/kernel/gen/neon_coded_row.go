package main

import (
	"math"
)

// Registers of a row times two coded panels on NEON, eight vectors of four columns: chains and lows, words of codes or scales; the value of A, the mask of a
// place, and values in turn.
const (
	armRowLow    = 8
	armRowWords  = 16
	armRowMask   = 24
	armRowA      = 25
	armRowValues = 26
)

// codedRow writes the product of one row with two coded panels; see writer.codedRow.
func (w *arm) codedRow() {
	for _, c := range codes {
		w.begin("row_"+c.name+"_neon", "runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32", 56)
		for i, arg := range []string{"runs", "a", "b0", "b1", "c0", "c1", "table"} {
			w.op("MOVD %s+%d(FP), R%d", arg, 8*i, i)
		}
		for v := range 8 {
			w.native("VEOR", "B16", v, v, v)
		}
		w.label("loop")
		if c.low {
			for v := range 8 {
				w.rowScale(c, armRowLow+v, 1, v)
			}
		}
		if c.nibbles {
			w.rowNibbles(c)
		} else {
			w.rowBytes(c)
		}
		w.op("ADD $128, R1")
		w.op("ADD $%d, R2", c.size())
		w.op("ADD $%d, R3", c.size())
		w.op("SUB $1, R0")
		w.op("CBNZ R0, loop")
		for v := range 8 {
			w.op("FMOVQ F%d, %d(R%d)", v, v%4*16, 4+v/4)
		}
		w.op("RET")
	}
}

// rowScale loads scale or low i of vector v of columns.
func (w *arm) rowScale(c code, r, i, v int) {
	if c.wide {
		w.op("FMOVQ %d(R%d), F%d", 64*i+16*(v%4), 2+v/4, r)
		return
	}
	w.op("FMOVD %d(R%d), F%d", 32*i+8*(v%4), 2+v/4, r)
	w.op("WORD $0x%08x // FCVTL V%d.4S, V%d.4H", 0x0e217800|uint32(r)<<5|uint32(r), r, r)
}

func (w *arm) rowNibbles(c code) {
	for v := range 8 {
		w.rowScale(c, armRowWords+v, 0, v)
		w.op("FMOVQ F%d, %d(R6)", armRowWords+v, 16*v)
	}
	for i := 1; i < 7 && c.minus == 0; i++ {
		w.every(armRowMask, math.Float32bits(float32(math.Ldexp(1, -4*i))))
		for v := range 8 {
			w.word("FMUL", armRowValues+v%2, armRowWords+v, armRowMask)
			w.op("FMOVQ F%d, %d(R6)", armRowValues+v%2, 128*i+16*v)
		}
	}
	for k := range 32 {
		j, place := k%16/4, k%4*2+k/16
		if k%4 == 0 {
			for v := range 8 {
				w.op("FMOVQ %d(R%d), F%d", c.head()+64*j+16*(v%4), 2+v/4, armRowWords+v)
			}
		}
		w.op("FMOVS %d(R1), F%d", 4*k, armRowA)
		at := 128 * place
		switch {
		case c.minus > 0:
			w.every(armRowMask, 15)
			w.every(armRowLow, uint32(c.minus))
			at = 0
		case place == 7:
			at = 0
		default:
			w.every(armRowMask, 15<<(4*place))
		}
		for v := range 8 {
			x, y := armRowValues, armRowValues+1
			switch {
			case place == 7:
				w.op("VUSHR $28, V%d.S4, V%d.S4", armRowWords+v, x)
			case place > 0 && c.minus > 0:
				w.op("VUSHR $%d, V%d.S4, V%d.S4", 4*place, armRowWords+v, x)
				w.native("VAND", "B16", x, armRowMask, x)
			default:
				w.native("VAND", "B16", armRowWords+v, armRowMask, x)
			}
			if c.minus > 0 {
				w.native("VSUB", "S4", armRowLow, x, x)
			}
			w.op("FMOVQ %d(R6), F%d", at+16*v, armRowValues+2)
			w.rowValue(c, x, y, armRowValues+2, v)
		}
	}
}

func (w *arm) rowBytes(c code) {
	long := func(code uint32, d, a int, what string) {
		w.op("WORD $0x%08x // %s V%d, V%d, #0", code|uint32(a)<<5|uint32(d), what, d, a)
	}
	for k := range 32 {
		if k%(32/c.scales) == 0 {
			for v := range 8 {
				w.rowScale(c, armRowWords+v, k/16*(c.scales-1), v)
			}
		}
		w.op("FMOVS %d(R1), F%d", 4*k, armRowA)
		for v := range 8 {
			const bytes, x, y = armRowMask, armRowValues, armRowValues + 1
			w.op("FMOVS %d(R%d), F%d", c.head()+16*k+4*(v%4), 2+v/4, bytes)
			long(0x0f08a400, x, bytes, "SSHLL")
			long(0x0f10a400, x, x, "SSHLL")
			w.rowValue(c, x, y, armRowWords+v, v)
		}
	}
}

// rowValue turns the code in x into a value, with y as scratch, and goes on with chain v.
func (w *arm) rowValue(c code, x, y, scale, v int) {
	w.word("SCVTF", x, x, -1)
	if c.low {
		w.move(y, armRowLow+v)
		w.native("VFMLA", "S4", scale, x, y)
	} else {
		w.word("FMUL", y, x, scale)
	}
	w.fmlaLane(v, y, armRowA, 0)
}
