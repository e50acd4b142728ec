package main

import "fmt"

// widen writes the exact conversion of n values of 16 bits to float32, n a positive multiple of 16. One listing serves both levels.
func (w *writer) widen() {
	for _, f := range []struct {
		name    string
		convert func(at string, d int)
	}{
		{"bf16", func(at string, d int) { w.op("VPMOVZXWD %s, Y%d", at, d); w.op("VPSLLD $16, Y%d, Y%d", d, d) }},
		{"f16", func(at string, d int) { w.op("VCVTPH2PS %s, Y%d", at, d) }},
	} {
		name := "widen_" + f.name + "_avx2"
		sig := fmt.Sprintf("func %s(n int, dst *float32, src *uint16)", name)
		w.decls = append(w.decls, sig)
		w.function(name, sig, 24)
		w.op("MOVQ n+0(FP), CX")
		w.op("MOVQ dst+8(FP), DI")
		w.op("MOVQ src+16(FP), SI")
		w.label("loop")
		for i := range 2 {
			f.convert(fmt.Sprintf("%d(SI)", 16*i), i)
			w.op("VMOVUPS Y%d, %d(DI)", i, 32*i)
		}
		w.op("ADDQ $32, SI")
		w.op("ADDQ $64, DI")
		w.op("SUBQ $16, CX")
		w.op("JNE loop")
		w.op("VZEROUPPER")
		w.op("RET")
	}
}
