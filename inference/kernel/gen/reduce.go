package main

import "fmt"

// reduction is a function that folds a row into 16 virtual lanes kept in memory between calls.
type reduction struct {
	name    string
	sources int
	scalars int
	step    func(w *writer, acc, a, b, s int, tail bool)
}

var reductions = []reduction{
	{"sum", 1, 0, func(w *writer, acc, a, b, s int, tail bool) { w.add(acc, acc, w.r(a)) }},
	{"dot", 2, 0, func(w *writer, acc, a, b, s int, tail bool) { w.fma(acc, a, w.r(b)) }},
	{"squares", 1, 1, func(w *writer, acc, a, b, s int, tail bool) { // of a - s
		if !tail {
			w.sub(a, a, w.r(s))
		} else if w.v.lanes == 16 {
			w.op("VSUBPS.Z %s, %s, K1, %s", w.r(s), w.r(a), w.r(a))
		} else {
			w.sub(a, a, w.r(s))
			w.and(a, a, w.r(w.v.regs-1))
		}
		w.fma(acc, a, w.r(a))
	}},
	{"max", 1, 0, func(w *writer, acc, a, b, s int, tail bool) {
		if !tail {
			w.max(acc, acc, w.r(a))
		} else {
			w.maxMasked(acc, a)
		}
	}},
}

func (w *writer) reductions() {
	for _, r := range reductions {
		w.reduce(r)
	}
}

// reduce writes one reduction: lane j of the 16 in memory takes elements j, j+16, ...; lanes beyond the tail take zeros.
func (w *writer) reduce(k reduction) {
	name := k.name + "_" + w.v.name
	sig := "func " + name + "(n int, lanes *[16]float32, a"
	if k.sources > 1 {
		sig += ", b"
	}
	sig += " *float32"
	if k.scalars > 0 {
		sig += ", s float32"
	}
	sig += ")"
	w.decls = append(w.decls, sig)
	w.function(name, sig, 16+8*k.sources+4*k.scalars)
	per := 16 / w.v.lanes
	a, b, s := per, per+1, per+2
	w.op("MOVQ n+0(FP), CX")
	w.op("MOVQ lanes+8(FP), DI")
	w.op("MOVQ a+16(FP), SI")
	if k.sources > 1 {
		w.op("MOVQ b+24(FP), DX")
	}
	if k.scalars > 0 {
		w.op("VBROADCASTSS s+%d(FP), %s", 16+8*k.sources, w.r(s))
	}
	for i := range per {
		w.load(i, fmt.Sprintf("%d(DI)", 4*w.v.lanes*i))
	}
	w.op("CMPQ CX, $16")
	w.op("JLT tail")
	w.label("loop")
	for i := range per {
		w.load(a, fmt.Sprintf("%d(SI)", 4*w.v.lanes*i))
		if k.sources > 1 {
			w.load(b, fmt.Sprintf("%d(DX)", 4*w.v.lanes*i))
		}
		k.step(w, i, a, b, s, false)
	}
	w.op("ADDQ $64, SI")
	if k.sources > 1 {
		w.op("ADDQ $64, DX")
	}
	w.op("SUBQ $16, CX")
	w.op("CMPQ CX, $16")
	w.op("JGE loop")
	w.label("tail")
	w.op("TESTQ CX, CX")
	w.op("JEQ done")
	w.parts(per, func(i int) {
		w.masked(a, fmt.Sprintf("%d(SI)", 4*w.v.lanes*i))
		if k.sources > 1 {
			w.masked(b, fmt.Sprintf("%d(DX)", 4*w.v.lanes*i))
		}
		k.step(w, i, a, b, s, true)
	})
	w.label("done")
	for i := range per {
		w.op("VMOVUPS %s, %d(DI)", w.r(i), 4*w.v.lanes*i)
	}
	w.op("VZEROUPPER")
	w.op("RET")
}
