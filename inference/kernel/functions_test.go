package kernel

func init() {
	for name, f := range map[string]func(dst, a []float32){"Exp": Exp, "Log": Log, "Erf": Erf, "Tanh": Tanh, "Sigmoid": Sigmoid, "GELU": GELU,
		"GELUTanh": GELUTanh, "SiLU": SiLU, "Sin": Sin, "Cos": Cos, "ReLU": ReLU} {
		differential[name] = func(d *trial) [][]float32 {
			a := d.draw(d.size(100))
			y := d.over(a)
			f(y, a)
			return [][]float32{y}
		}
	}
	for name, f := range map[string]func(dst, a, b []float32){"Add": Add, "Sub": Sub, "Mul": Mul, "Div": Div, "ReLUGrad": ReLUGrad, "GELUGrad": GELUGrad,
		"GELUTanhGrad": GELUTanhGrad, "SiLUGrad": SiLUGrad, "TanhGrad": TanhGrad, "SigmoidGrad": SigmoidGrad, "ErfGrad": ErfGrad} {
		differential[name] = func(d *trial) [][]float32 {
			n := d.size(100)
			a, b := d.draw(n), d.draw(n)
			y := d.over(a, b)
			f(y, a, b)
			return [][]float32{y}
		}
	}
	differential["Scale"] = func(d *trial) [][]float32 {
		a := d.draw(d.size(100))
		y := d.over(a)
		Scale(y, a, d.scalar())
		return [][]float32{y}
	}
	differential["AddScaled"] = func(d *trial) [][]float32 {
		n := d.size(100)
		a, b := d.draw(n), d.draw(n)
		y := d.over(a, b)
		AddScaled(y, a, b, d.scalar())
		return [][]float32{y}
	}
	differential["MulAdd"] = func(d *trial) [][]float32 {
		n := d.size(100)
		a, b, c := d.draw(n), d.draw(n), d.draw(n)
		y := d.over(a, b, c)
		MulAdd(y, a, b, c)
		return [][]float32{y}
	}
	differential["SinCos"] = func(d *trial) [][]float32 {
		n := d.size(40)
		sin, cos, f := d.out(n), d.out(n), make([]float64, n)
		for i := range f {
			f[i] = d.r.Float64()
		}
		SinCos(sin, cos, d.r.IntN(100000), f)
		return [][]float32{sin, cos}
	}
	differential["Rotate"] = func(d *trial) [][]float32 {
		h := d.size(40)
		x, cos, sin, neg := d.draw(2*h+d.r.IntN(4)), d.draw(h), d.draw(h), d.draw(h)
		y := d.over(x)
		Rotate(y, x, cos, sin, neg)
		return [][]float32{y}
	}
}

func init() {
	for name, f := range map[string]func(x []float32) float32{"Sum": Sum, "SumSquares": SumSquares, "Max": Max} {
		differential[name] = func(d *trial) [][]float32 { return [][]float32{{f(d.draw(d.size(200)))}} }
	}
	differential["Dot"] = func(d *trial) [][]float32 { n := d.size(200); return [][]float32{{Dot(d.draw(n), d.draw(n))}} }
	differential["Softmax"] = func(d *trial) [][]float32 {
		rows, n := d.size(300), d.size(70)
		x := d.draw(rows * n)
		y := d.over(x)
		Softmax(d.threads, rows, n, y, x, d.scalar())
		return [][]float32{y}
	}
	differential["SoftmaxRange"] = func(d *trial) [][]float32 {
		x := d.draw(d.size(70))
		y := d.over(x)
		lo := d.r.IntN(len(x))
		SoftmaxRange(y, x, lo, lo+d.size(len(x)-lo), d.scalar())
		return [][]float32{y}
	}
	differential["SoftmaxBackward"] = func(d *trial) [][]float32 {
		rows, n := d.size(300), d.size(70)
		dy, y := d.draw(rows*n), d.draw(rows*n)
		dx := d.over(dy)
		SoftmaxBackward(d.threads, rows, n, dx, dy, y, d.scalar())
		return [][]float32{dx}
	}
	differential["LogSoftmax"] = func(d *trial) [][]float32 {
		rows, n := d.size(300), d.size(70)
		x := d.draw(rows * n)
		y := d.over(x)
		LogSoftmax(d.threads, rows, n, y, x)
		return [][]float32{y}
	}
	differential["LayerNorm"] = func(d *trial) [][]float32 {
		rows, n := d.size(300), d.size(70)
		x, gamma, beta, mean, rstd := d.draw(rows*n), d.draw(n), d.draw(n), d.out(rows), d.out(rows)
		y := d.over(x)
		LayerNorm(d.threads, rows, n, y, x, gamma, beta, 1e-5, mean, rstd)
		return [][]float32{y, mean, rstd}
	}
	differential["LayerNormBackward"] = func(d *trial) [][]float32 {
		rows, n := d.size(300), d.size(70)
		dy, x, gamma, mean, rstd := d.draw(rows*n), d.draw(rows*n), d.draw(n), d.draw(rows), d.draw(rows)
		dx := d.over(dy)
		LayerNormBackward(d.threads, rows, n, dx, dy, x, gamma, mean, rstd)
		return [][]float32{dx}
	}
	differential["RMSNorm"] = func(d *trial) [][]float32 {
		rows, n := d.size(300), d.size(70)
		x, gamma, rstd := d.draw(rows*n), d.draw(n), d.out(rows)
		y := d.over(x)
		RMSNorm(d.threads, rows, n, y, x, gamma, 1e-6, rstd)
		return [][]float32{y, rstd}
	}
	differential["RMSNormBackward"] = func(d *trial) [][]float32 {
		rows, n := d.size(300), d.size(70)
		dy, x, gamma, rstd := d.draw(rows*n), d.draw(rows*n), d.draw(n), d.draw(rows)
		dx := d.over(dy)
		RMSNormBackward(d.threads, rows, n, dx, dy, x, gamma, rstd)
		return [][]float32{dx}
	}
}

func init() {
	differential["Pack"] = func(d *trial) [][]float32 {
		k, n := d.size(70), d.size(70)
		p := Pack(d.draw(k*n), k, n, d.r.IntN(2) == 0)
		return [][]float32{p.data, p.Transposed().data}
	}
	differential["Transpose"] = func(d *trial) [][]float32 {
		rows, cols := d.size(70), d.size(400)
		y := d.out(rows * cols)
		Transpose(d.threads, rows, cols, y, d.draw(rows*cols))
		return [][]float32{y}
	}
	differential["Gemm"] = func(d *trial) [][]float32 {
		rows, n, k := d.size(20), d.size(150), d.size(500)
		lda, ldc := k+d.r.IntN(3), n+d.r.IntN(3)
		p := Pack(d.draw(k*n), k, n, d.r.IntN(2) == 0)
		p.data = d.place(p.data)
		size := (rows-1)*ldc + n
		c := d.out(size)
		Gemm(d.threads, rows, d.draw((rows-1)*lda+k), lda, p, c, ldc, d.epilogue(n, size))
		return [][]float32{c}
	}
	differential["PackHalf"] = func(d *trial) [][]float32 {
		rows, n, k := d.size(20), d.size(150), d.size(500)
		b := make([]uint16, n*k)
		for i := range b {
			b[i] = uint16(d.r.Uint32())
		}
		p := PackHalf(F16+Half(d.r.IntN(2)), b, k, n, d.r.IntN(2) == 0)
		c := d.out(rows * n)
		Gemm(d.threads, rows, d.draw(rows*k), k, p, c, n, d.epilogue(n, rows*n))
		return [][]float32{c, p.Transposed().data}
	}
	differential["GemmMany"] = func(d *trial) [][]float32 {
		rows, k := d.size(20), d.size(500)
		lda := k + d.r.IntN(3)
		var products []Product
		var out [][]float32
		for range d.size(3) {
			n := d.size(100)
			p := Pack(d.draw(k*n), k, n, d.r.IntN(2) == 0)
			p.data = d.place(p.data)
			c := d.out(rows * n)
			products, out = append(products, Product{p, c, d.epilogue(n, rows*n)}), append(out, c)
		}
		GemmMany(d.threads, rows, d.draw((rows-1)*lda+k), lda, products...)
		return out
	}
	differential["MatMul"] = func(d *trial) [][]float32 {
		batch, rows, n, k := d.size(4), d.size(20), d.size(50), d.size(50)
		c := d.out(batch * rows * n)
		MatMul(d.threads, batch, rows, n, k, d.draw(batch*rows*k), d.draw(batch*k*n), c, d.r.IntN(2) == 0, d.r.IntN(2) == 0)
		return [][]float32{c}
	}
	differential["MatMulBatch"] = func(d *trial) [][]float32 {
		outer, inner, rows, n, k := d.size(3), d.size(3), d.size(40), d.size(40), d.size(70)
		operand := func(rows, cols int) Batch {
			if d.r.IntN(2) == 0 {
				return d.batch(outer, inner, rows, cols, d.draw)
			}
			b := d.batch(outer, inner, cols, rows, d.draw)
			b.Trans = true
			return b
		}
		a, b, c := operand(rows, k), operand(k, n), d.batch(outer, inner, rows, n, d.out)
		MatMulBatch(d.threads, outer, inner, rows, n, k, a, b, c)
		return [][]float32{c.Data}
	}
	differential["Attention"] = func(d *trial) [][]float32 {
		h := Heads{B: d.size(2), H: 2 * d.size(2), Shared: d.size(2), TQ: d.size(60), D: d.size(40), Scale: d.scalar(), Causal: d.r.IntN(2) == 0}
		h.TK = h.TQ + d.r.IntN(40)
		q, out := d.batch(h.B, h.H, h.TQ, h.D, d.draw), d.batch(h.B, h.H, h.TQ, h.D, d.out)
		k, v := d.batch(h.B, h.H/h.Shared, h.TK, h.D, d.draw), d.batch(h.B, h.H/h.Shared, h.TK, h.D, d.draw)
		Attention(d.threads, h, q, k, v, out)
		return [][]float32{out.Data}
	}
}

func init() {
	differential["PackConv"] = func(d *trial) [][]float32 {
		_, f, _, _ := d.conv()
		out := [][]float32{f.forward.depthwise}
		for _, p := range f.forward.panels {
			out = append(out, p.data)
		}
		return out
	}
	differential["Conv2D"] = func(d *trial) [][]float32 {
		s, f, in, n := d.conv()
		y := d.out(n)
		Conv2D(d.threads, s, d.draw(in), f, y, d.epilogue(s.O, n))
		return [][]float32{y}
	}
	differential["Conv2DBackwardInput"] = func(d *trial) [][]float32 {
		s, f, in, n := d.conv()
		dx := d.out(in)
		Conv2DBackwardInput(d.threads, s, d.draw(n), f, dx)
		return [][]float32{dx}
	}
	differential["MaxPool2D"] = func(d *trial) [][]float32 { y, index, _ := d.maxPool(); return [][]float32{y, index} }
	differential["MaxPool2DBackward"] = func(d *trial) [][]float32 { _, _, dx := d.maxPool(); return [][]float32{dx} }
	differential["AvgPool2D"] = func(d *trial) [][]float32 {
		p, in, n := d.pool()
		y := d.out(n)
		AvgPool2D(d.threads, p, d.draw(in), y)
		return [][]float32{y}
	}
	differential["AvgPool2DBackward"] = func(d *trial) [][]float32 {
		p, in, n := d.pool()
		dx := d.out(in)
		AvgPool2DBackward(d.threads, p, d.draw(n), dx)
		return [][]float32{dx}
	}
	differential["GlobalAvgPool"] = func(d *trial) [][]float32 {
		n, hw, c := d.size(3), d.size(50), d.size(50)
		y := d.out(n * c)
		GlobalAvgPool(d.threads, n, hw, c, d.draw(n*hw*c), y)
		return [][]float32{y}
	}
	differential["GlobalAvgPoolBackward"] = func(d *trial) [][]float32 {
		n, hw, c := d.size(3), d.size(50), d.size(50)
		dx := d.out(n * hw * c)
		GlobalAvgPoolBackward(d.threads, n, hw, c, d.draw(n*c), dx)
		return [][]float32{dx}
	}
}

func (d *trial) maxPool() (y, index, dx []float32) {
	p, in, n := d.pool()
	y, dx = d.out(n), d.out(in)
	at := make([]int32, n)
	MaxPool2D(d.threads, p, d.draw(in), y, at)
	MaxPool2DBackward(d.threads, p, d.draw(n), at, dx)
	for _, v := range at {
		index = append(index, float32(v))
	}
	return y, index, dx
}

func init() {
	differential["Attend"] = func(d *trial) [][]float32 {
		heads, width, tokens, rows := d.size(3), d.size(40), d.size(2*PageTokens), d.size(4)
		pages := []*KVPage{NewKVPage(heads, width), NewKVPage(heads, width)}
		for i := range tokens {
			pages[i/PageTokens].Put(i%PageTokens, d.draw(heads*width), d.draw(heads*width))
		}
		keys := make([]Keys, rows)
		for i := range keys {
			lo := d.r.IntN(tokens)
			keys[i] = Keys{lo, lo + d.size(tokens-lo)}
		}
		ldq, ldo := width+d.r.IntN(3), width+d.r.IntN(3)
		out := d.out((rows-1)*ldo + width)
		Attend(pages, d.r.IntN(heads), d.draw((rows-1)*ldq+width), ldq, keys, d.scalar(), nil, out, ldo)
		return [][]float32{out}
	}
}
