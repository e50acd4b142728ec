package main

import "fmt"

// neonTiles are the tiles as rows × columns, 16 chains or nearly so in each; 8 columns are half a panel.
var neonTiles = [][2]int{{1, 16}, {1, 32}, {1, 64}, {2, 16}, {2, 32}, {3, 16}, {4, 16}, {5, 8}, {6, 8}, {7, 8}, {8, 8}}

// tile writes one matrix tile. Four k of each row of A are one vector, whose lanes the multiply-adds pick. Rows of B lie bk apart, panels bs: so B may be
// packed or lie as it is.
//
// General registers: R0 k, R1 to R4 the panels of B, R5 C, R6 the stride of C, R8 to R15 the rows of A, R20 flags, R21 scratch, R22 the stride of B.
// Vector registers: 0 to 15 the chains row by row, 16 to 19 a step of B, 20 to 27 the rows of A.
func (w *arm) tile(rows, columns int) {
	const b0, a0 = 16, 20
	vecs, panels := columns/4, (columns+15)/16
	args := []string{"k", "a", "lda", "b", "bs", "bk", "c", "ldc", "flags", "bias", "residual"}
	w.begin(fmt.Sprintf("gemm_neon_%dx%d", rows, columns),
		"k int, a *float32, lda int, b *float32, bs, bk int, c *float32, ldc, flags int, bias, residual *float32", 88)
	for i, reg := range []int{0, 8, 7, 1, 19, 22, 5, 6, 20, 23, 24} {
		w.op("MOVD %s+%d(FP), R%d", args[i], 8*i, reg)
	}
	w.op("LSL $2, R22")
	for r := 1; r < rows; r++ {
		w.op("ADD R7<<2, R%d, R%d", 7+r, 8+r)
	}
	for p := 1; p < panels; p++ {
		w.op("ADD R19<<2, R%d, R%d", p, p+1)
	}
	w.op("TBZ $0, R20, zero")
	w.each(rows, vecs, 5, func(at string, acc int) { w.op("FLDPQ %s, (F%d, F%d)", at, acc, acc+1) })
	w.op("B ready")
	w.label("zero")
	for i := range rows * vecs {
		w.native("VEOR", "B16", i, i, i)
	}
	w.label("ready")
	step := func(lane int) {
		for p := range panels {
			width := min(vecs, 4)
			list := fmt.Sprintf("V%d.S4, V%d.S4", b0, b0+1)
			if width == 4 {
				list += fmt.Sprintf(", V%d.S4, V%d.S4", b0+2, b0+3)
			}
			w.op("VLD1.P (R%d)(R22), [%s]", 1+p, list)
			for r := range rows {
				for v := range width {
					w.fmlaLane(r*vecs+4*p+v, b0+v, a0+r, lane)
				}
			}
		}
	}
	w.op("CMP $4, R0")
	w.op("BLT rest")
	w.label("loop")
	for r := range rows {
		w.op("VLD1.P 16(R%d), [V%d.S4]", 8+r, a0+r)
	}
	for lane := range 4 {
		step(lane)
	}
	w.op("SUB $4, R0")
	w.op("CMP $4, R0")
	w.op("BGE loop")
	w.label("rest")
	w.op("CBZ R0, done")
	w.label("one")
	for r := range rows {
		w.op("FMOVS.P 4(R%d), F%d", 8+r, a0+r)
	}
	step(0)
	w.op("SUB $1, R0")
	w.op("CBNZ R0, one")
	w.label("done")
	w.finish(rows, vecs)
	w.each(rows, vecs, 5, func(at string, acc int) { w.op("FSTPQ (F%d, F%d), %s", acc, acc+1, at) })
	w.op("RET")
}

// each visits the chains in pairs with their place in the matrix that starts at a register and is strided like C.
func (w *arm) each(rows, vecs, base int, f func(at string, acc int)) {
	w.op("MOVD R%d, R21", base)
	for r := range rows {
		for v := 0; v < vecs; v += 2 {
			f(fmt.Sprintf("%d(R21)", 16*v), r*vecs+v)
		}
		if r+1 < rows {
			w.op("ADD R6<<2, R21")
		}
	}
}

// finish adds the bias, adds the residual and applies ReLU where they are asked for.
func (w *arm) finish(rows, vecs int) {
	const x, y = 16, 17
	w.op("CBZ R23, unbiased")
	for v := 0; v < vecs; v += 2 {
		w.op("FLDPQ %d(R23), (F%d, F%d)", 16*v, x, y)
		for r := range rows {
			w.word("FADD", r*vecs+v, r*vecs+v, x)
			w.word("FADD", r*vecs+v+1, r*vecs+v+1, y)
		}
	}
	w.label("unbiased")
	w.op("CBZ R24, whole")
	w.each(rows, vecs, 24, func(at string, acc int) {
		w.op("FLDPQ %s, (F%d, F%d)", at, x, y)
		w.word("FADD", acc, acc, x)
		w.word("FADD", acc+1, acc+1, y)
	})
	w.label("whole")
	w.op("TBZ $1, R20, linear")
	for i := range rows * vecs { // what is below zero is cleared: NaN and -0 stay
		w.word("FCMLT0", x, i, -1)
		w.word("BIC", i, i, x)
	}
	w.label("linear")
}

// transpose writes the transposition of 8 rows of blocks·8 columns: dst row j gets column j. The shuffles work on 4×4 values.
func (w *arm) transpose() {
	w.begin("transpose_neon", "blocks int, dst *float32, ldd int, src *float32, lds int", 40)
	for i, a := range []string{"blocks", "dst", "ldd", "src", "lds"} {
		w.op("MOVD %s+%d(FP), R%d", a, 8*i, i)
	}
	w.op("LSL $2, R2")
	w.op("LSL $2, R4")
	w.op("LSL $1, R0") // groups of four columns
	w.label("loop")
	w.op("MOVD R3, R5")
	for i := range 8 {
		w.op("VLD1.P (R5)(R4), [V%d.S4]", i)
	}
	for q := range 2 { // rows 4q to 4q+3
		r, t := 4*q, 16+4*q
		for i := range 2 {
			w.native("VTRN1", "S4", r+2*i+1, r+2*i, t+2*i)
			w.native("VTRN2", "S4", r+2*i+1, r+2*i, t+2*i+1)
		}
		for i := range 2 {
			w.native("VTRN1", "D2", t+2+i, t+i, r+i)
			w.native("VTRN2", "D2", t+2+i, t+i, r+2+i)
		}
	}
	for i := range 4 {
		w.op("FSTPQ (F%d, F%d), (R1)", i, 4+i)
		w.op("ADD R2, R1")
	}
	w.op("ADD $16, R3")
	w.op("SUB $1, R0")
	w.op("CBNZ R0, loop")
	w.op("RET")
}

// neonFiles is the assembly for arm64 and its Go side.
func neonFiles() map[string]string {
	w := &arm{writer: writer{v: neon}, pool: map[string]int{}}
	for _, s := range neonTiles {
		w.tile(s[0], s[1])
	}
	for _, k := range kernels {
		w.element(k)
	}
	for _, r := range reductions {
		w.fold(r)
	}
	w.transpose()
	w.widen()
	w.coded()
	w.codedRow()
	out := "// Code generated by go generate; see gen. DO NOT EDIT.\n\n//go:build arm64 && !noasm\n\npackage kernel\n"
	for _, d := range w.decls {
		out += "\n//go:noescape\n" + d + "\n"
	}
	return map[string]string{"neon_arm64.s": w.file(), "asm_arm64.go": out}
}
