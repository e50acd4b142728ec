package main

import "fmt"

const unroll = 4

// shape is a matrix tile of rows × panels of 16 columns. A strided tile reads B where it lies, as rows of a larger matrix, instead of packed panels.
type shape struct {
	rows, panels int
	strided      bool
}

// shapes lists the tiles of a level: as many accumulators as leave one register for a value of A and, where the rows share it, one step of B.
func (v vector) shapes() []shape {
	var out []shape
	for _, strided := range []bool{false, true} {
		for rows := 1; rows <= 6; rows++ {
			for panels := 1; panels <= 4; panels++ {
				if s := (shape{rows, panels, strided}); v.fits(s) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

func (v vector) fits(s shape) bool { return v.registers(s) <= v.regs }

// registers counts the accumulators and the operands of one step: all of B and a value of A in turn, or, where that is less, all of A and B in turn.
// A single row reads B from memory.
func (v vector) registers(s shape) int {
	vecs := s.vectors(v)
	if s.rows == 1 {
		return vecs + 1
	}
	return s.rows*vecs + min(vecs, s.rows) + 1
}

func (s shape) vectors(v vector) int { return s.panels * 16 / v.lanes }

// gemm writes all tiles.
func (w *writer) gemm() {
	for _, s := range w.v.shapes() {
		w.tile(s)
	}
}

func (s shape) name(v vector) string {
	form := ""
	if s.strided {
		form = "s"
	}
	return fmt.Sprintf("gemm_%s_%dx%d%s", v.name, s.rows, s.panels, form)
}

// tile writes a function of tiles below each other. Registers: accumulators row by row, then the operands of a step. While a tile works, the lines from ahead
// on are brought into the cache, four for each four k, step bytes further each time. Flag 1 continues the chains from C, flag 2 ends them with ReLU.
func (w *writer) tile(s shape) {
	vecs := s.vectors(w.v)
	sig := "func " + s.name(w.v) + "(k int, a *float32, lda int, b *float32, bs int, c *float32, ldc int, flags int, ahead uintptr, step int, bias, residual *float32, tiles int)"
	w.decls = append(w.decls, sig)
	w.function(s.name(w.v), sig, 104)
	for i, reg := range []string{"CX", "AX", "R8", "DI", "R10", "SI", "R12", "DX", "R14", "BX"} {
		w.op("MOVQ %s+%d(FP), %s", []string{"k", "a", "lda", "b", "bs", "c", "ldc", "flags", "ahead", "step"}[i], 8*i, reg)
	}
	for _, reg := range []string{"R8", "R10", "R12"} {
		w.op("SHLQ $2, %s", reg)
	}
	w.op("LEAQ (R10)(R10*2), R11")
	w.label("start")
	if s.rows > 3 {
		w.op("LEAQ (R8)(R8*2), R9")
		w.op("ADDQ AX, R9") // row 3 of A
		w.op("LEAQ (R12)(R12*2), R13")
		w.op("ADDQ SI, R13") // row 3 of C
	}
	w.op("TESTQ $1, DX")
	w.op("JEQ zero")
	w.each(s.rows, vecs, func(at string, acc int) { w.op("VMOVUPS %s, %s", at, w.r(acc)) })
	w.op("JMP ready")
	w.label("zero")
	for i := range s.rows * vecs {
		w.xor(i, i, w.r(i))
	}
	w.label("ready")
	w.op("CMPQ CX, $%d", unroll)
	w.op("JLT rest")
	w.label("loop")
	for u := range unroll {
		w.op("PREFETCHT0 %d(R14)", 64*u)
		w.step(s, vecs, u)
	}
	w.op("ADDQ BX, R14")
	w.advance(s, unroll)
	w.op("CMPQ CX, $%d", unroll)
	w.op("JGE loop")
	w.label("rest")
	w.op("TESTQ CX, CX")
	w.op("JEQ done")
	w.label("one")
	w.step(s, vecs, 0)
	w.advance(s, 1)
	w.op("TESTQ CX, CX")
	w.op("JNE one")
	w.label("done")
	w.end(s, vecs)
	w.each(s.rows, vecs, func(at string, acc int) { w.op("VMOVUPS %s, %s", w.r(acc), at) })
	w.next(s)
	w.op("VZEROUPPER")
	w.op("RET")
}

// next goes on with the tile below, until all are done. The arguments keep where it starts.
func (w *writer) next(s shape) {
	w.op("SUBQ $1, tiles+96(FP)")
	w.op("JEQ finished")
	w.op("IMUL3Q $%d, R12, R15", s.rows)
	w.op("MOVQ residual+88(FP), AX")
	w.op("TESTQ AX, AX")
	w.op("JEQ below")
	w.op("ADDQ R15, residual+88(FP)")
	w.label("below")
	w.op("ADDQ R15, SI")
	w.op("IMUL3Q $%d, R8, R15", s.rows)
	w.op("ADDQ R15, a+8(FP)")
	w.op("MOVQ a+8(FP), AX")
	w.op("MOVQ b+24(FP), DI")
	w.op("MOVQ k+0(FP), CX")
	w.op("JMP start")
	w.label("finished")
}

// end adds bias and residual (strided like C) to the accumulators where they are given, and takes ReLU where the flag is set.
func (w *writer) end(s shape, vecs int) {
	w.op("MOVQ bias+80(FP), AX")
	w.op("TESTQ AX, AX")
	w.op("JEQ residual")
	for i := range s.rows * vecs {
		w.add(i, i, fmt.Sprintf("%d(AX)", i%vecs*4*w.v.lanes))
	}
	w.label("residual")
	w.op("MOVQ residual+88(FP), AX")
	w.op("TESTQ AX, AX")
	w.op("JEQ relu")
	w.op("SUBQ SI, AX") // from a place in C to the one in the residual
	w.op("ADDQ AX, SI")
	w.op("ADDQ AX, R13")
	w.each(s.rows, vecs, func(at string, acc int) { w.add(acc, acc, at) })
	w.op("SUBQ AX, SI")
	w.op("SUBQ AX, R13")
	w.label("relu")
	w.op("TESTQ $2, DX")
	w.op("JEQ store")
	zero := s.rows * vecs
	w.xor(zero, zero, w.r(zero))
	for i := range s.rows * vecs {
		w.max(i, zero, w.r(i))
	}
	w.label("store")
}

// operand is vector i of step u of B: panels lie bs apart with 64 bytes a step, rows of B lie bs apart with their columns side by side.
func (w *writer) operand(s shape, i, u int) string {
	if s.strided {
		return fmt.Sprintf("%d%s", 4*w.v.lanes*i, []string{"(DI)", "(DI)(R10*1)", "(DI)(R10*2)", "(DI)(R11*1)"}[u])
	}
	per := 16 / w.v.lanes
	return fmt.Sprintf("%d%s", 64*u+i%per*4*w.v.lanes, []string{"(DI)", "(DI)(R10*1)", "(DI)(R10*2)", "(DI)(R11*1)"}[i/per])
}

// step is one k: each row's value of A times each vector of B.
func (w *writer) step(s shape, vecs, u int) {
	free := s.rows * vecs
	value := func(r int) string {
		return fmt.Sprintf("%d%s", 4*u, []string{"(AX)", "(AX)(R8*1)", "(AX)(R8*2)", "(R9)", "(R9)(R8*1)", "(R9)(R8*2)"}[r])
	}
	switch {
	case s.rows == 1:
		w.op("VBROADCASTSS %s, %s", value(0), w.r(free))
		for i := range vecs {
			w.op("VFMADD231PS %s, %s, %s", w.operand(s, i, u), w.r(free), w.r(i))
		}
	case s.rows < vecs:
		for r := range s.rows {
			w.op("VBROADCASTSS %s, %s", value(r), w.r(free+r))
		}
		for i := range vecs {
			w.load(free+s.rows, w.operand(s, i, u))
			for r := range s.rows {
				w.fma(r*vecs+i, free+r, w.r(free+s.rows))
			}
		}
	default:
		for i := range vecs {
			w.load(free+i, w.operand(s, i, u))
		}
		for r := range s.rows {
			w.op("VBROADCASTSS %s, %s", value(r), w.r(free+vecs))
			for i := range vecs {
				w.fma(r*vecs+i, free+vecs, w.r(free+i))
			}
		}
	}
}

func (w *writer) advance(s shape, k int) {
	w.op("ADDQ $%d, AX", 4*k)
	if s.rows > 3 {
		w.op("ADDQ $%d, R9", 4*k)
	}
	switch {
	case !s.strided:
		w.op("ADDQ $%d, DI", 64*k)
	case k == 1:
		w.op("ADDQ R10, DI")
	default:
		w.op("LEAQ (DI)(R10*%d), DI", k)
	}
	w.op("SUBQ $%d, CX", k)
}

// each visits the accumulators with their place in C.
func (w *writer) each(rows, vecs int, f func(at string, acc int)) {
	for r := range rows {
		base := []string{"(SI)", "(SI)(R12*1)", "(SI)(R12*2)", "(R13)", "(R13)(R12*1)", "(R13)(R12*2)"}[r]
		for i := range vecs {
			f(fmt.Sprintf("%d%s", i*4*w.v.lanes, base), r*vecs+i)
		}
	}
}

// peak writes a loop of independent multiply-adds on registers alone: what no product can pass.
func (w *writer) peak() {
	name := "peak_" + w.v.name
	sig := "func " + name + "(n int)"
	w.decls = append(w.decls, sig)
	w.function(name, sig, 8)
	w.op("MOVQ n+0(FP), CX")
	for i := range peakChains {
		w.xor(i, i, w.r(i))
	}
	w.label("loop")
	for i := range peakChains {
		w.fma(i, i, w.r(i))
	}
	w.op("SUBQ $1, CX")
	w.op("JNE loop")
	w.op("VZEROUPPER")
	w.op("RET")
}

const peakChains = 12

// declarations writes the Go side of all functions, and for each level the table of matrix tiles by rows and panels.
func declarations(decls []string, levels ...vector) string {
	out := "// Code generated by go generate; see gen. DO NOT EDIT.\n\n//go:build amd64 && !noasm\n\npackage kernel\n"
	for _, d := range decls {
		out += "\n//go:noescape\n" + d + "\n"
	}
	for _, v := range levels {
		for _, strided := range []bool{false, true} {
			out += fmt.Sprintf("\nvar %s_%s = tileSet{\n", map[bool]string{false: "gemmTiles", true: "stridedTiles"}[strided], v.name)
			for rows := 1; rows <= 6; rows++ {
				line, sep := "", ""
				for panels := 1; panels <= 4; panels++ {
					if s := (shape{rows, panels, strided}); v.fits(s) {
						line += fmt.Sprintf("%s%d: %s", sep, panels, s.name(v))
						sep = ", "
					}
				}
				out += fmt.Sprintf("\t%d: {%s},\n", rows, line)
			}
			out += "}\n"
		}
	}
	return out
}
