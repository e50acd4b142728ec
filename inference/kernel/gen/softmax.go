package main

import "fmt"

// softmax writes dst = e^(s·a - max) / sum of one row of n > 0 elements, in three passes over a row that the caches hold: scale and maximum, exponentials
// and their sum in 16 lanes, division.
func (w *writer) softmax() {
	name := "softmax_" + w.v.name
	sig := fmt.Sprintf("func %s(n int, dst, a *float32, s float32)", name)
	w.decls = append(w.decls, sig)
	w.function(name, sig, 28)
	per := 16 / w.v.lanes
	sums, most, s, x := 0, per, per+1, per+2 // the sums come first, so that a folded one ends in register 0
	w.op("MOVQ dst+8(FP), DI")
	w.op("MOVQ a+16(FP), SI")
	w.op("VBROADCASTSS s+24(FP), %s", w.r(s))
	w.load(most, w.bits(0xff800000))
	w.pass("scale", 1, "SI", func(i int, masked bool) {
		w.element(x, "SI", i, masked)
		w.mul(x, x, w.r(s))
		w.keep(x, i, masked)
		if !masked {
			w.max(most, most, w.r(x))
		} else {
			w.maxMasked(most, x)
		}
	})
	w.op("VMOVAPS %s, %s", w.r(most), w.r(sums))
	w.across("VMAXPS", sums)
	w.op("VBROADCASTSS X%d, %s", sums, w.r(most))
	for i := range per {
		w.xor(sums+i, sums+i, w.r(sums+i))
	}
	w.pass("exp", per, "", func(i int, masked bool) {
		x := s + 5*i // two vectors at a time need registers of their own; the scale is done with
		w.element(x, "DI", i, masked)
		w.sub(x, x, w.r(most))
		e := w.exp(x, []int{x + 1, x + 2, x + 3})
		if masked && w.v.lanes == 16 {
			w.op("VADDPS %s, %s, K1, %s", w.r(e), w.r(sums+i), w.r(sums+i))
		} else if masked {
			w.and(e, e, w.r(w.v.regs-1))
			w.add(sums+i, sums+i, w.r(e))
		} else {
			w.add(sums+i, sums+i, w.r(e))
		}
		w.keep(e, i, masked)
	})
	if per == 2 {
		w.add(sums, sums, w.r(sums+1))
	}
	w.across("VADDPS", sums)
	w.op("VBROADCASTSS X%d, %s", sums, w.r(most))
	w.pass("divide", 1, "", func(i int, masked bool) {
		w.element(x, "DI", i, masked)
		w.div(x, x, w.r(most))
		w.keep(x, i, masked)
	})
	w.op("VZEROUPPER")
	w.op("RET")
}

// pass walks n elements from dst on, per vectors at a time, and another pointer in step if one is named; each is called for each vector, masked beyond the
// last whole group.
func (w *writer) pass(name string, per int, other string, each func(i int, masked bool)) {
	w.op("MOVQ n+0(FP), CX")
	w.op("MOVQ dst+8(FP), DI")
	step := per * w.v.lanes
	w.op("CMPQ CX, $%d", step)
	w.op("JLT %s_tail", name)
	w.label(name + "_loop")
	var pieces []func()
	for i := range per {
		pieces = append(pieces, func() { each(i, false) })
	}
	w.together(pieces...)
	w.op("ADDQ $%d, DI", 4*step)
	if other != "" {
		w.op("ADDQ $%d, %s", 4*step, other)
	}
	w.op("SUBQ $%d, CX", step)
	w.op("CMPQ CX, $%d", step)
	w.op("JGE %s_loop", name)
	w.label(name + "_tail")
	w.op("TESTQ CX, CX")
	w.op("JEQ %s_done", name)
	w.parts(per, func(i int) { each(i, true) })
	w.label(name + "_done")
}

// parts calls each for the vectors that hold the CX < 16 elements left, with the tail's mask set.
func (w *writer) parts(per int, each func(i int)) {
	for i := range per {
		if per == 2 && i == 0 { // the lower half takes at most eight, the upper what is left
			w.op("MOVQ CX, BX")
			w.op("MOVQ $8, AX")
			w.op("CMPQ CX, AX")
			w.op("CMOVQGT AX, CX")
			w.op("SUBQ CX, BX")
		} else if per == 2 {
			w.op("MOVQ BX, CX")
		}
		w.tailMask()
		each(i)
	}
}

// element loads vector i from a pointer, keep stores one to dst.
func (w *writer) element(d int, from string, i int, masked bool) {
	at := fmt.Sprintf("%d(%s)", 4*w.v.lanes*i, from)
	if masked {
		w.masked(d, at)
	} else {
		w.load(d, at)
	}
}

func (w *writer) keep(v, i int, masked bool) {
	at := fmt.Sprintf("%d(DI)", 4*w.v.lanes*i)
	switch {
	case !masked:
		w.op("VMOVUPS %s, %s", w.r(v), at)
	case w.v.lanes == 16:
		w.op("VMOVUPS %s, K1, %s", w.r(v), at)
	default:
		w.op("VMASKMOVPS %s, %s, %s", w.r(v), w.r(w.v.regs-1), at)
	}
}

// maxMasked sets acc to the larger of acc and v within the mask; v is destroyed.
func (w *writer) maxMasked(acc, v int) {
	if w.v.lanes == 16 {
		w.op("VMAXPS %s, %s, K1, %s", w.r(v), w.r(acc), w.r(acc))
		return
	}
	w.max(v, acc, w.r(v))
	w.op("VBLENDVPS %s, %s, %s, %s", w.r(w.v.regs-1), w.r(v), w.r(acc), w.r(acc))
}

// across folds the lanes of register r with op, 8, 4, 2, 1 apart, into its lowest; the register behind the sums is scratch.
func (w *writer) across(op string, r int) {
	const t = 15
	if w.v.lanes == 16 {
		w.op("VEXTRACTF64X4 $1, Z%d, Y%d", r, t)
		w.op("%s Y%d, Y%d, Y%d", op, t, r, r)
	}
	w.op("VEXTRACTF128 $1, Y%d, X%d", r, t)
	w.op("%s X%d, X%d, X%d", op, t, r, r)
	for _, swap := range []int{0x4e, 0xb1} {
		w.op("VPERMILPS $%d, X%d, X%d", swap, r, t)
		w.op("%s X%d, X%d, X%d", op, t, r, r)
	}
}
