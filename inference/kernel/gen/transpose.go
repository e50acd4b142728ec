package main

// transpose writes the transposition of 8 rows of blocks·8 columns: dst row j gets column j. Each 128-bit half of a register holds four rows, so that the
// shuffles stay within halves. One listing serves both levels.
func (w *writer) transpose() {
	const sig = "func transpose_avx2(blocks int, dst *float32, ldd int, src *float32, lds int)"
	w.decls = append(w.decls, sig)
	w.function("transpose_avx2", sig, 40)
	for i, reg := range []string{"CX", "DI", "R8", "SI", "R10"} {
		w.op("MOVQ %s+%d(FP), %s", []string{"blocks", "dst", "ldd", "src", "lds"}[i], 8*i, reg)
	}
	w.op("SHLQ $2, R8")
	w.op("SHLQ $2, R10")
	w.op("LEAQ (R8)(R8*2), R9")
	w.op("LEAQ (R10)(R10*2), R11")
	w.op("LEAQ (SI)(R10*4), DX") // row 4
	w.label("loop")
	rows := func(base string) []string {
		return []string{"(" + base + ")", "(" + base + ")(R10*1)", "(" + base + ")(R10*2)", "(" + base + ")(R11*1)"}
	}
	for _, half := range []string{"0", "16"} {
		for i := range 4 {
			w.op("VMOVUPS %s%s, X%d", half, rows("SI")[i], i)
			w.op("VINSERTF128 $1, %s%s, Y%d, Y%d", half, rows("DX")[i], i, i)
		}
		for i := range 2 {
			w.op("VUNPCKLPS Y%d, Y%d, Y%d", 2*i+1, 2*i, 4+2*i)
			w.op("VUNPCKHPS Y%d, Y%d, Y%d", 2*i+1, 2*i, 5+2*i)
		}
		for i := range 2 {
			w.op("VUNPCKLPD Y%d, Y%d, Y%d", 6+i, 4+i, 2*i)
			w.op("VUNPCKHPD Y%d, Y%d, Y%d", 6+i, 4+i, 2*i+1)
		}
		for i, at := range []string{"(DI)", "(DI)(R8*1)", "(DI)(R8*2)", "(DI)(R9*1)"} {
			w.op("VMOVUPS Y%d, %s", i, at)
		}
		w.op("LEAQ (DI)(R8*4), DI")
	}
	w.op("ADDQ $32, SI")
	w.op("ADDQ $32, DX")
	w.op("SUBQ $1, CX")
	w.op("JNE loop")
	w.op("VZEROUPPER")
	w.op("RET")
}
