package main

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// constants are the float32 patterns a file refers to; each is laid out 16 times, so that one memory operand serves every vector width.
type constants map[uint32]bool

func (w *writer) bits(b uint32) string {
	if w.consts == nil {
		w.consts = constants{}
	}
	w.consts[b] = true
	return fmt.Sprintf("%s_%08x<>(SB)", w.v.name, b)
}

func (w *writer) c(x float64) string { return w.bits(math.Float32bits(float32(x))) }

func (w *writer) data() string {
	var all []uint32
	for b := range w.consts {
		all = append(all, b)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	var out strings.Builder
	for _, b := range all {
		name := fmt.Sprintf("%s_%08x<>", w.v.name, b)
		out.WriteString("\n")
		for i := range 8 {
			fmt.Fprintf(&out, "DATA %s+%d(SB)/8, $0x%08x%08x\n", name, 8*i, b, b)
		}
		fmt.Fprintf(&out, "GLOBL %s(SB), RODATA|NOPTR, $64\n", name)
	}
	if w.v.lanes == 8 {
		out.WriteString("\n")
		for i := range 8 {
			v := "ffffffffffffffff"
			if i >= 4 {
				v = "0"
			}
			fmt.Fprintf(&out, "DATA avx2_tail<>+%d(SB)/8, $0x%s\n", 8*i, v)
		}
		out.WriteString("GLOBL avx2_tail<>(SB), RODATA|NOPTR, $64\n")
	}
	return out.String()
}

// The instructions below name their operands in the order destination, first, second of the manuals; b may be a memory operand.
func (w *writer) add(d int, a int, b string) { w.op("VADDPS %s, %s, %s", b, w.r(a), w.r(d)) }
func (w *writer) sub(d int, a int, b string) { w.op("VSUBPS %s, %s, %s", b, w.r(a), w.r(d)) }
func (w *writer) mul(d int, a int, b string) { w.op("VMULPS %s, %s, %s", b, w.r(a), w.r(d)) }
func (w *writer) div(d int, a int, b string) { w.op("VDIVPS %s, %s, %s", b, w.r(a), w.r(d)) }

// max and min return b where either is NaN or both are zero.
func (w *writer) max(d int, a int, b string) { w.op("VMAXPS %s, %s, %s", b, w.r(a), w.r(d)) }
func (w *writer) min(d int, a int, b string) { w.op("VMINPS %s, %s, %s", b, w.r(a), w.r(d)) }

// fma sets d = a*b + d, mad sets d = d*a + b.
func (w *writer) fma(d, a int, b string) { w.op("VFMADD231PS %s, %s, %s", b, w.r(a), w.r(d)) }
func (w *writer) mad(d, a int, b string) { w.op("VFMADD213PS %s, %s, %s", b, w.r(a), w.r(d)) }

func (w *writer) load(d int, from string) { w.op("VMOVUPS %s, %s", from, w.r(d)) }

func (w *writer) logic(op string, d, a int, b string) {
	if w.v.lanes == 16 {
		op += "D"
	}
	w.op("%s %s, %s, %s", op, b, w.r(a), w.r(d))
}

func (w *writer) and(d, a int, b string) { w.logic("VPAND", d, a, b) }
func (w *writer) or(d, a int, b string)  { w.logic("VPOR", d, a, b) }
func (w *writer) xor(d, a int, b string) { w.logic("VPXOR", d, a, b) }

// less sets d to yes where a < b and to no elsewhere (NaN: no). t is scratch; d may be any operand but t.
func (w *writer) less(d, a int, b string, yes, no, t int) {
	w.choose(1, d, a, b, yes, no, t)
}

// choose is less for any comparison predicate.
func (w *writer) choose(predicate, d, a int, b string, yes, no, t int) {
	if w.v.lanes == 16 {
		w.op("VCMPPS $%d, %s, %s, K%d", predicate, b, w.r(a), 2+w.stream)
		w.op("VBLENDMPS %s, %s, K%d, %s", w.r(yes), w.r(no), 2+w.stream, w.r(d))
		return
	}
	w.op("VCMPPS $%d, %s, %s, %s", predicate, b, w.r(a), w.r(t))
	w.op("VBLENDVPS %s, %s, %s, %s", w.r(t), w.r(yes), w.r(no), w.r(d))
}

// horner evaluates the coefficients from the highest power on: d = (...(c0*x + c1)*x + ...).
func (w *writer) horner(d, x int, cs []float32) {
	w.load(d, w.c(float64(cs[0])))
	for _, c := range cs[1:] {
		w.mad(d, x, w.c(float64(c)))
	}
}

// kernel is a function over equally long rows: sources in, one destination out.
type kernel struct {
	name    string
	sources int
	scalars int
	body    func(w *writer, in, s []int, t []int) int // returns the register of the result
}

var pointers = []string{"SI", "DX", "R8"}

// elementwise writes dst[i] = body(a[i], ...) for n elements; the tail is masked, so nothing beyond n is read or written.
func (w *writer) elementwise(k kernel) {
	args := []string{"a", "b", "c"}[:k.sources]
	scal := []string{"s", "t", "u"}[:k.scalars]
	name := k.name + "_" + w.v.name
	sig := fmt.Sprintf("func %s(n int, dst, %s *float32", name, strings.Join(args, ", "))
	if k.scalars > 0 {
		sig += ", " + strings.Join(scal, ", ") + " float32"
	}
	w.decls = append(w.decls, sig+")")
	w.function(name, sig+")", 16+8*k.sources+4*k.scalars)
	w.op("MOVQ n+0(FP), CX")
	w.op("MOVQ dst+8(FP), DI")
	in, s, t := []int{}, []int{}, []int{}
	for i, a := range args {
		w.op("MOVQ %s+%d(FP), %s", a, 16+8*i, pointers[i])
		in = append(in, i)
	}
	for i, a := range scal {
		s = append(s, k.sources+i)
		w.op("VBROADCASTSS %s+%d(FP), %s", a, 16+8*k.sources+4*i, w.r(s[i]))
	}
	last := w.v.regs
	if w.v.lanes == 8 {
		last-- // the mask of the tail
	}
	for i := k.sources + k.scalars; i < last; i++ {
		t = append(t, i)
	}
	step := 4 * w.v.lanes
	one := func(in, t []int, at int) func() {
		return func() {
			for i := range in {
				w.load(in[i], fmt.Sprintf("%d(%s)", at, pointers[i]))
			}
			w.op("VMOVUPS %s, %d(DI)", w.r(k.body(w, in, s, t)), at)
		}
	}
	loop := func(label string, vectors int, pieces ...func()) {
		w.op("CMPQ CX, $%d", vectors*w.v.lanes)
		w.op("JLT %s_end", label)
		w.label(label)
		w.together(pieces...)
		for i := range in {
			w.op("ADDQ $%d, %s", vectors*step, pointers[i])
		}
		w.op("ADDQ $%d, DI", vectors*step)
		w.op("SUBQ $%d, CX", vectors*w.v.lanes)
		w.op("CMPQ CX, $%d", vectors*w.v.lanes)
		w.op("JGE %s", label)
		w.label(label + "_end")
	}
	if in2, t2 := w.second(k, in, s, t); in2 != nil {
		loop("two", 2, one(in, t, 0), one(in2, t2, step))
	}
	loop("one", 1, one(in, t, 0))
	w.rest(k, in, s, t)
}

// rest computes the last elements, fewer than a vector, and ends the function.
func (w *writer) rest(k kernel, in, s, t []int) {
	w.op("TESTQ CX, CX")
	w.op("JEQ done")
	w.tailMask()
	for i := range in {
		w.masked(i, "("+pointers[i]+")")
	}
	r := k.body(w, in, s, t)
	if w.v.lanes == 16 {
		w.op("VMOVUPS %s, K1, (DI)", w.r(r))
	} else {
		w.op("VMASKMOVPS %s, %s, (DI)", w.r(r), w.r(w.v.regs-1))
	}
	w.label("done")
	w.op("VZEROUPPER")
	w.op("RET")
}

// second finds registers for the sources and the scratch of a second vector beside the first, if there are enough.
func (w *writer) second(k kernel, in, s, t []int) (in2, t2 []int) {
	dry := &writer{v: w.v}
	k.body(dry, in, s, t)
	free := dry.high + 1
	need := free - len(s) // everything but the scalars once more
	if free+need > w.v.regs {
		return nil, nil
	}
	for range in {
		in2 = append(in2, free)
		free++
	}
	for range need - len(in) {
		t2 = append(t2, free)
		free++
	}
	for len(t2) < len(t) { // never named, as the dry run shows
		t2 = append(t2, w.v.regs)
	}
	return in2, t2
}

// tailMask turns CX < lanes into K1 or the last register.
func (w *writer) tailMask() {
	if w.v.lanes == 16 {
		w.op("MOVL $1, AX")
		w.op("SHLL CX, AX")
		w.op("SUBL $1, AX")
		w.op("KMOVW AX, K1")
		return
	}
	w.op("SHLQ $2, CX")
	w.op("LEAQ avx2_tail<>+32(SB), AX")
	w.op("SUBQ CX, AX")
	w.op("VMOVUPS (AX), %s", w.r(w.v.regs-1))
}

// masked loads the tail, zeros beyond it.
func (w *writer) masked(d int, from string) {
	if w.v.lanes == 16 {
		w.op("VMOVUPS.Z %s, K1, %s", from, w.r(d))
	} else {
		w.op("VMASKMOVPS %s, %s, %s", from, w.r(w.v.regs-1), w.r(d))
	}
}
