package main

import (
	"math"
)

// Registers of the widening of codes on NEON. Of nibbles: the scale of each place in a word, the low, a word, values in turn, and the mask of each place.
// Of bytes: scales and lows of 16 columns, four registers each, then a row of codes at its steps.
const (
	armLow    = 8
	armWord   = 9
	armValues = 10
	armMasks  = 16
	armBytes  = 16
)

// coded writes the widening of runs of 32 values of 16 columns to rows of 16 float32; see writer.coded.
func (w *arm) coded() {
	for _, c := range codes {
		w.begin("widen_"+c.name+"_neon", "runs int, dst *float32, src *uint32", 24)
		w.op("MOVD runs+0(FP), R0")
		w.op("MOVD dst+8(FP), R1")
		w.op("MOVD src+16(FP), R2")
		if c.nibbles {
			for i := range 7 {
				w.every(armMasks+i, 15<<(4*i))
			}
		}
		w.label("loop")
		if c.nibbles {
			for quarter := range 4 {
				w.codeNibbles(c, quarter)
			}
		} else {
			w.codeBytes(c)
		}
		w.op("ADD $%d, R2", c.size())
		w.op("ADD $2048, R1")
		w.op("SUB $1, R0")
		w.op("CBNZ R0, loop")
		w.op("RET")
	}
}

// every sets all lanes of a register.
func (w *arm) every(r int, bits uint32) {
	w.op("MOVD $%d, R8", bits)
	w.op("VDUP R8, V%d.S4", r)
}

// codeScale loads scale or low i of four columns.
func (w *arm) codeScale(c code, r, i, quarter int) {
	if c.wide {
		w.op("FMOVQ %d(R2), F%d", 64*i+16*quarter, r)
		return
	}
	w.op("FMOVD %d(R2), F%d", 32*i+8*quarter, r)
	w.op("WORD $0x%08x // FCVTL V%d.4S, V%d.4H", 0x0e217800|uint32(r)<<5|uint32(r), r, r)
}

func (w *arm) codeNibbles(c code, quarter int) {
	w.codeScale(c, 0, 0, quarter)
	if c.low {
		w.codeScale(c, armLow, 1, quarter)
	}
	for i := 1; i < 7 && c.minus == 0; i++ {
		w.every(armValues, math.Float32bits(float32(math.Ldexp(1, -4*i))))
		w.word("FMUL", i, 0, armValues)
	}
	if c.minus > 0 {
		w.every(armLow, uint32(c.minus))
	}
	n := 0
	for j := range 4 {
		w.op("FMOVQ %d(R2), F%d", c.head()+64*j+16*quarter, armWord)
		for i := range 8 {
			v, scale := armValues+2*(n%3), i
			n++
			switch {
			case i == 7:
				w.op("VUSHR $28, V%d.S4, V%d.S4", armWord, v)
				scale = 0
			case i > 0 && c.minus > 0:
				w.op("VUSHR $%d, V%d.S4, V%d.S4", 4*i, armWord, v)
				w.native("VAND", "B16", v, armMasks, v)
			default:
				w.native("VAND", "B16", armWord, armMasks+i, v)
			}
			if c.minus > 0 {
				w.native("VSUB", "S4", armLow, v, v)
				scale = 0
			}
			w.codeValue(c, v, v+1, scale, armLow, 16*(i%2)+4*j+i/2, quarter)
		}
	}
}

func (w *arm) codeBytes(c code) {
	for i := range c.head() / c.row() {
		for quarter := range 4 {
			w.codeScale(c, 4*i+quarter, i, quarter)
		}
	}
	long := func(code uint32, d, a int, what string) {
		w.op("WORD $0x%08x // %s V%d, V%d, #0", code|uint32(a)<<5|uint32(d), what, d, a)
	}
	for k := range 32 {
		w.op("FMOVQ %d(R2), F%d", c.head()+16*k, armBytes)
		long(0x0f08a400, armBytes+1, armBytes, "SSHLL")
		long(0x4f08a400, armBytes+2, armBytes, "SSHLL2")
		for quarter := range 4 {
			v := armBytes + 4 + 2*quarter
			if quarter%2 == 0 {
				long(0x0f10a400, v, armBytes+1+quarter/2, "SSHLL")
			} else {
				long(0x4f10a400, v, armBytes+1+quarter/2, "SSHLL2")
			}
			w.codeValue(c, v, v+1, 4*(k/16)*(c.scales-1)+quarter, 4+quarter, k, quarter)
		}
	}
}

// codeValue turns the code in v into the value of row k and stores it; t is scratch.
func (w *arm) codeValue(c code, v, t, scale, low, k, quarter int) {
	w.word("SCVTF", v, v, -1)
	if c.low {
		w.move(t, low)
		w.native("VFMLA", "S4", scale, v, t)
	} else {
		w.word("FMUL", t, v, scale)
	}
	w.op("FMOVQ F%d, %d(R1)", t, 64*k+16*quarter)
}
