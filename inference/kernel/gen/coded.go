package main

import (
	"fmt"
	"math"
)

// code is a storage of weights in 4 or 8 bits; see Code in the package.
type code struct {
	name    string
	nibbles bool
	low     bool // a value is added
	wide    bool // scales are float32
	scales  int  // of a run of 32 values
	minus   int  // taken from each code
}

var codes = []code{
	{name: "q4_0", nibbles: true, scales: 1, minus: 8},
	{name: "q4_1", nibbles: true, scales: 1, low: true},
	{name: "q8_0", scales: 1},
	{name: "q4k", nibbles: true, scales: 1, low: true, wide: true},
	{name: "q5k", scales: 1, low: true, wide: true},
	{name: "q6k", scales: 2, wide: true},
}

// row is the bytes of one scale of each of 16 columns, head those of scales and lows of a run, size those of a run.
func (c code) row() int {
	if c.wide {
		return 64
	}
	return 32
}

func (c code) head() int {
	n := c.scales
	if c.low {
		n++
	}
	return n * c.row()
}

func (c code) size() int {
	if c.nibbles {
		return c.head() + 256
	}
	return c.head() + 512
}

// coded writes the widening of runs of 32 values of 16 columns to rows of 16 float32. One listing serves both levels.
func (w *writer) coded() {
	for _, c := range codes {
		name := "widen_" + c.name + "_avx2"
		sig := fmt.Sprintf("func %s(runs int, dst *float32, src *uint32)", name)
		w.decls = append(w.decls, sig)
		w.function(name, sig, 24)
		w.op("MOVQ runs+0(FP), CX")
		w.op("MOVQ dst+8(FP), DI")
		w.op("MOVQ src+16(FP), SI")
		if c.minus > 0 {
			w.load(codeMinus, w.bits(uint32(c.minus)))
		}
		w.label("loop")
		for at := 0; at < c.size(); at += 64 {
			w.op("PREFETCHT0 %d(SI)", codeAhead*c.size()+at)
		}
		for half := range 2 {
			for i := range c.head() / c.row() {
				w.codeScale(c, codeFirst+i, i, half)
			}
			if c.nibbles {
				w.codeNibbles(c, half)
			} else {
				w.codeBytes(c, half)
			}
		}
		w.op("ADDQ $%d, SI", c.size())
		w.op("ADDQ $2048, DI")
		w.op("SUBQ $1, CX")
		w.op("JNE loop")
		w.op("VZEROUPPER")
		w.op("RET")
	}
}

// codeAhead is how many runs ahead lines are brought into the cache.
const codeAhead = 4

// Registers: scales and the low, or of nibbles the scale of each place in a word, the low behind the first; words of codes; values in turn.
const (
	codeFirst  = 0
	codePlaces = 2 // of the second place on
	codeMinus  = 9
	codeWord   = 10
	codeValues = 11
)

// codeScale loads scale or low i of 8 columns into register r.
func (w *writer) codeScale(c code, r, i, half int) {
	if c.wide {
		w.load(r, fmt.Sprintf("%d(SI)", 64*i+32*half))
	} else {
		w.op("VCVTPH2PS %d(SI), Y%d", 32*i+16*half, r)
	}
}

// codeNibbles leaves nibbles where they are in their words: place i stands for 16^i, which a scale over 16^i undoes. Both are exact. Only the sign's place is
// moved; and where something is taken from the code, all are.
func (w *writer) codeNibbles(c code, half int) {
	place := func(i int) int {
		if i == 0 || i == 7 || c.minus > 0 {
			return codeFirst
		}
		return codePlaces + i - 1
	}
	for i := 1; i < 7 && c.minus == 0; i++ {
		w.mul(place(i), codeFirst, w.c(math.Ldexp(1, -4*i)))
	}
	n := 0
	for j := range 4 {
		w.load(codeWord, fmt.Sprintf("%d(SI)", c.head()+64*j+32*half))
		for i := range 8 {
			v := codeValues + n%5
			n++
			switch {
			case i == 7:
				w.op("VPSRLD $28, Y%d, Y%d", codeWord, v)
			case i > 0 && c.minus > 0:
				w.op("VPSRLD $%d, Y%d, Y%d", 4*i, codeWord, v)
				w.op("VPAND %s, Y%d, Y%d", w.bits(15), v, v)
			default:
				w.op("VPAND %s, Y%d, Y%d", w.bits(15<<(4*i)), codeWord, v)
			}
			w.codeValue(c, v, place(i), 16*(i%2)+4*j+i/2, half)
		}
	}
}

func (w *writer) codeBytes(c code, half int) {
	for k := range 32 {
		v := codeValues + k%5
		w.op("VPMOVSXBD %d(SI), Y%d", c.head()+16*k+8*half, v)
		w.codeValue(c, v, codeFirst+k/16*(c.scales-1), k, half)
	}
}

// codeValue turns the code in v into the value of row k and stores it.
func (w *writer) codeValue(c code, v, scale, k, half int) {
	if c.minus > 0 {
		w.op("VPSUBD Y%d, Y%d, Y%d", codeMinus, v, v)
	}
	w.op("VCVTDQ2PS Y%d, Y%d", v, v)
	if c.low {
		w.op("VFMADD213PS Y%d, Y%d, Y%d", codeFirst+1, scale, v)
	} else {
		w.op("VMULPS Y%d, Y%d, Y%d", scale, v, v)
	}
	w.op("VMOVUPS Y%d, %d(DI)", v, 64*k+32*half)
}
