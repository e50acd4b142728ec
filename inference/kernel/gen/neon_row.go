package main

import (
	"fmt"
	"strings"
)

// element writes dst[i] = body(a[i], ...) for n elements, four at a time; the last one to three are loaded and stored one by one, so nothing beyond n is touched.
func (w *arm) element(k kernel) {
	args := []string{"a", "b", "c"}[:k.sources]
	scalars := []string{"s", "t", "u"}[:k.scalars]
	list := "n int, dst, " + strings.Join(args, ", ") + " *float32"
	if k.scalars > 0 {
		list += ", " + strings.Join(scalars, ", ") + " float32"
	}
	w.begin(k.name+"_neon", list, 16+8*k.sources+4*k.scalars)
	w.op("MOVD n+0(FP), R0")
	w.op("MOVD dst+8(FP), R1")
	var in, s, t []int
	for i, a := range args {
		w.op("MOVD %s+%d(FP), R%d", a, 16+8*i, 2+i)
		in = append(in, i)
	}
	for i, a := range scalars {
		s = append(s, k.sources+i)
		w.spread(a, 16+8*k.sources+4*i, s[i])
	}
	for i := k.sources + k.scalars; i < neon.regs; i++ {
		t = append(t, i)
	}
	body := func() int { return w.row(s, func(x *writer) int { return k.body(x, in, s, t) }) }
	w.op("MOVD $neon_constants<>(SB), R9")
	w.op("CMP $4, R0")
	w.op("BLT tail")
	w.label("loop")
	for i := range in {
		w.op("VLD1.P 16(R%d), [V%d.S4]", 2+i, i)
	}
	w.op("VST1.P [V%d.S4], 16(R1)", body())
	w.op("SUB $4, R0")
	w.op("CMP $4, R0")
	w.op("BGE loop")
	w.label("tail")
	w.op("CBZ R0, done")
	w.partial("partial", k.sources, func(i int) { w.native("VEOR", "B16", i, i, i) }, 0)
	r := body()
	for lane := range 3 {
		if lane > 0 {
			w.op("CMP $%d, R0", lane+1)
			w.op("BLT done")
		}
		w.op("VST1.P V%d.S[%d], 4(R1)", r, lane)
	}
	w.label("done")
	w.op("RET")
}

// spread loads a float32 argument into all lanes of a register.
func (w *arm) spread(name string, at, reg int) {
	w.op("FMOVS %s+%d(FP), F%d", name, at, reg)
	w.op("VDUP V%d.S[0], V%d.S4", reg, reg)
}

// partial loads R0 < 4 elements of each source from R2 on into the registers from first on; prepare fills the other lanes before.
func (w *arm) partial(label string, sources int, prepare func(source int), first int) {
	for i := range sources {
		prepare(i)
	}
	for lane := range 3 {
		if lane > 0 {
			w.op("CMP $%d, R0", lane+1)
			w.op("BLT %s", label)
		}
		for i := range sources {
			w.op("VLD1.P 4(R%d), V%d.S[%d]", 2+i, first+i, lane)
		}
	}
	w.label(label)
}

// fold writes one reduction: lane j of the 16 in memory takes elements j, j+16, ...; lanes beyond the tail take zeros.
func (w *arm) fold(k reduction) {
	const a, s, mask = 4, 6, 29 // b follows a
	list := "n int, lanes *[16]float32, a"
	if k.sources > 1 {
		list += ", b"
	}
	list += " *float32"
	if k.scalars > 0 {
		list += ", s float32"
	}
	w.begin(k.name+"_neon", list, 16+8*k.sources+4*k.scalars)
	w.op("MOVD n+0(FP), R0")
	w.op("MOVD lanes+8(FP), R1")
	for i := range k.sources {
		w.op("MOVD %s+%d(FP), R%d", []string{"a", "b"}[i], 16+8*i, 2+i)
	}
	if k.scalars > 0 {
		w.spread("s", 16+8*k.sources, s)
	}
	step := func(i int, tail bool) {
		w.row([]int{0, 1, 2, 3, s, mask}, func(x *writer) int { k.step(x, i, a, a+1, s, tail); return 0 })
	}
	whole := func(i int) {
		for j := range k.sources {
			w.op("VLD1.P 16(R%d), [V%d.S4]", 2+j, a+j)
		}
		step(i, false)
	}
	w.op("VLD1 (R1), [V0.S4, V1.S4, V2.S4, V3.S4]")
	w.op("CMP $16, R0")
	w.op("BLT tail")
	w.label("loop")
	for i := range 4 {
		whole(i)
	}
	w.op("SUB $16, R0")
	w.op("CMP $16, R0")
	w.op("BGE loop")
	w.label("tail")
	for i := range 3 { // at most 15 elements are left
		w.op("CMP $4, R0")
		w.op("BLT rest%d", i)
		whole(i)
		w.op("SUB $4, R0")
	}
	w.op("B rest3")
	for i := range 4 {
		w.label(fmt.Sprintf("rest%d", i))
		w.op("CBZ R0, done")
		w.partial(fmt.Sprintf("partial%d", i), k.sources, func(j int) { w.native("VEOR", "B16", a+j, a+j, a+j) }, a)
		w.op("MOVD $neon_tail<>+16(SB), R10")
		w.op("SUB R0<<2, R10")
		w.op("VLD1 (R10), [V%d.S4]", mask)
		step(i, true)
		if i < 3 {
			w.op("B done")
		}
	}
	w.label("done")
	w.op("VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R1)")
	w.op("RET")
}
