package op

import (
	"math"

	"vitrine/inference/graph"
)

// twins are the ops in float64, straight from their definitions; only tests use them. Integer operands come as floats.
var twins = map[string]func(a any, in []tensor64, shape []int) []float64{}

type tensor64 struct {
	shape []int
	data  []float64
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func act64(name string, x float64) float64 {
	switch name {
	case "gelu":
		return 0.5 * x * (1 + math.Erf(x/math.Sqrt2))
	case "gelu_new":
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case "relu":
		return math.Max(x, 0)
	case "silu":
		return x / (1 + math.Exp(-x))
	case "tanh":
		return math.Tanh(x)
	case "sigmoid":
		return 1 / (1 + math.Exp(-x))
	}
	panic("no twin for the activation " + name)
}

// slope64 is the derivative of an activation at x.
func slope64(name string, x float64) float64 {
	const h = 1e-5
	return (act64(name, x+h) - act64(name, x-h)) / (2 * h)
}

func softmax64(x []float64, scale float64, log bool) []float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, scale*v)
	}
	sum := 0.0
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Exp(scale*v - top)
		sum += out[i]
	}
	for i, v := range x {
		if log {
			out[i] = scale*v - top - math.Log(sum)
		} else {
			out[i] /= sum
		}
	}
	return out
}

// overRows64 applies f to each row of the first operand; f sees the same row of all operands.
func overRows64(in []tensor64, f func(row [][]float64) []float64) []float64 {
	_, n := rows(in[0].shape)
	var out []float64
	for i := 0; i < len(in[0].data); i += n {
		var row [][]float64
		for _, t := range in {
			row = append(row, t.data[i:i+n])
		}
		out = append(out, f(row)...)
	}
	return out
}

func dot64(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

func matmul64(f MatMul, a, b tensor64) []float64 {
	m, k, _, n := matDims(&f, a.shape, b.shape)
	batch := graph.Size(a.shape[:len(a.shape)-2])
	out := make([]float64, batch*m*n)
	at := func(x []float64, trans bool, i, j, r, c int) float64 {
		if trans {
			return x[j*r+i]
		}
		return x[i*c+j]
	}
	for q := range batch {
		x, y := a.data[q*m*k:(q+1)*m*k], b.data[q*k*n:(q+1)*k*n]
		for i := range m {
			for j := range n {
				s := 0.0
				for l := range k {
					s += at(x, f.TransA, i, l, m, k) * at(y, f.TransB, l, j, k, n)
				}
				out[(q*m+i)*n+j] = s
			}
		}
	}
	return out
}

// heads64 exchanges the middle dimensions of (B,X,Y,d).
func heads64(x []float64, b, p, q, d int) []float64 {
	out := make([]float64, len(x))
	for i := range b {
		for j := range p {
			for k := range q {
				copy(out[((i*q+k)*p+j)*d:][:d], x[((i*p+j)*q+k)*d:][:d])
			}
		}
	}
	return out
}

func norm64(a *LayerNorm, x []float64) (xh []float64, rstd float64) {
	mean, v := 0.0, 0.0
	for _, t := range x {
		mean += t / float64(len(x))
	}
	for _, t := range x {
		v += (t - mean) * (t - mean) / float64(len(x))
	}
	rstd = 1 / math.Sqrt(v+float64(a.Eps))
	for _, t := range x {
		xh = append(xh, (t-mean)*rstd)
	}
	return xh, rstd
}

func init() {
	twins["act"] = func(a any, in []tensor64, _ []int) []float64 {
		out := make([]float64, len(in[0].data))
		for i, v := range in[0].data {
			out[i] = act64(a.(*Act).Name, v)
		}
		return out
	}
	twins["act_grad"] = func(a any, in []tensor64, _ []int) []float64 {
		out := make([]float64, len(in[0].data))
		for i, dy := range in[0].data {
			v := in[1].data[i]
			switch {
			case a.(*Act).Name == "tanh":
				out[i] = dy * (1 - v*v)
			case a.(*Act).Name == "sigmoid":
				out[i] = dy * v * (1 - v)
			default:
				out[i] = dy * slope64(a.(*Act).Name, v)
			}
		}
		return out
	}
	twins["add"] = func(_ any, in []tensor64, _ []int) []float64 {
		out := make([]float64, len(in[0].data))
		for i := range out {
			out[i] = in[0].data[i] + in[1].data[i]
		}
		return out
	}
	twins["linear"] = func(a any, in []tensor64, shape []int) []float64 {
		l := a.(*Linear)
		w := weightOf(l.W)
		r, n := rows(shape)
		k, _ := l.dims()
		m := MatMul{TransB: !l.Trans}
		wt := tensor64{[]int{l.W.Out, l.W.In}, w}
		out := matmul64(m, tensor64{[]int{r, k}, in[0].data}, wt)
		for i := range out {
			if l.Bias != nil {
				out[i] += float64(l.Bias[i%n])
			}
			if len(in) > 1 {
				out[i] += in[1].data[i]
			}
		}
		return out
	}
	twins["embedding"] = func(a any, in []tensor64, _ []int) []float64 {
		t := a.(*Table)
		rows := widen(t.Data)
		if t.Tied != nil {
			rows = weightOf(t.Tied)
		}
		var out []float64
		for _, id := range in[0].data {
			out = append(out, rows[int(id)*t.D:(int(id)+1)*t.D]...)
		}
		return out
	}
	twins["positions"] = func(a any, in []tensor64, s []int) []float64 {
		out := make([]float64, len(in[0].data))
		for i, v := range in[0].data {
			out[i] = v + float64(a.(*Positions).Data[i%(s[1]*s[2])])
		}
		return out
	}
	twins["layer_norm"] = func(a any, in []tensor64, _ []int) []float64 {
		p := a.(*LayerNorm)
		return overRows64(in, func(row [][]float64) []float64 {
			xh, _ := norm64(p, row[0])
			for i := range xh {
				xh[i] = xh[i]*float64(p.Gamma[i]) + float64(p.Beta[i])
			}
			return xh
		})
	}
	twins["layer_norm_grad"] = func(a any, in []tensor64, _ []int) []float64 {
		p := a.(*LayerNorm)
		return overRows64(in, func(row [][]float64) []float64 {
			xh, rstd := norm64(p, row[1])
			n := float64(len(xh))
			g := make([]float64, len(xh))
			mean := 0.0
			for i := range g {
				g[i] = row[0][i] * float64(p.Gamma[i])
				mean += g[i] / n
			}
			mx := dot64(g, xh) / n
			for i := range g {
				g[i] = rstd * (g[i] - mean - xh[i]*mx)
			}
			return g
		})
	}
	twins["split_heads"] = func(_ any, in []tensor64, s []int) []float64 {
		return heads64(in[0].data, s[0], s[2], s[1], s[3])
	}
	twins["merge_heads"] = func(_ any, in []tensor64, _ []int) []float64 {
		s := in[0].shape
		return heads64(in[0].data, s[0], s[1], s[2], s[3])
	}
	twins["matmul"] = func(a any, in []tensor64, s []int) []float64 {
		f := *a.(*MatMul)
		for i, heads := range []int{f.HeadsA, f.HeadsB} {
			if t := in[i].shape; heads > 0 {
				in[i] = tensor64{[]int{t[0], heads, t[1], t[2] / heads}, heads64(in[i].data, t[0], t[1], heads, t[2]/heads)}
			}
		}
		out := matmul64(f, in[0], in[1])
		if f.HeadsC > 0 {
			out = heads64(out, s[0], f.HeadsC, s[1], s[2]/f.HeadsC)
		}
		return out
	}
	twins["softmax"] = func(a any, in []tensor64, _ []int) []float64 {
		return overRows64(in, func(r [][]float64) []float64 { return softmax64(r[0], float64(a.(*Softmax).Scale), false) })
	}
	twins["log_softmax"] = func(_ any, in []tensor64, _ []int) []float64 {
		return overRows64(in, func(r [][]float64) []float64 { return softmax64(r[0], 1, true) })
	}
	twins["softmax_grad"] = func(a any, in []tensor64, _ []int) []float64 {
		return overRows64(in, func(r [][]float64) []float64 {
			d := dot64(r[0], r[1])
			out := make([]float64, len(r[0]))
			for i := range out {
				out[i] = float64(a.(*Softmax).Scale) * r[1][i] * (r[0][i] - d)
			}
			return out
		})
	}
	twins["log_softmax_grad"] = func(_ any, in []tensor64, _ []int) []float64 {
		return overRows64(in, func(r [][]float64) []float64 {
			sum := 0.0
			for _, v := range r[0] {
				sum += v
			}
			out := make([]float64, len(r[0]))
			for i := range out {
				out[i] = r[0][i] - math.Exp(r[1][i])*sum
			}
			return out
		})
	}
	twins["attention"] = func(a any, in []tensor64, _ []int) []float64 {
		p := a.(*Attention)
		s := in[0].shape
		d, shared := s[2]/p.H, max(1, p.Shared)
		h := func(i int) tensor64 {
			t := in[i].shape
			n := t[2] / d
			x := tensor64{[]int{t[0], n, t[1], d}, heads64(in[i].data, t[0], t[1], n, d)}
			if n != p.H {
				x.shape[1] = p.H
				x.data = twins["repeat_heads"](&Group{shared}, []tensor64{x}, x.shape)
			}
			return x
		}
		scores := tensor64{[]int{s[0], p.H, s[1], in[1].shape[1]}, matmul64(MatMul{TransB: true}, h(0), h(1))}
		if p.Causal {
			scores.data = twins["causal_softmax"](&Causal{Scale: p.Scale}, []tensor64{scores}, scores.shape)
		} else {
			scores.data = twins["softmax"](&Softmax{p.Scale}, []tensor64{scores}, scores.shape)
		}
		return heads64(matmul64(MatMul{}, scores, h(2)), s[0], p.H, s[1], d)
	}
	selectRow64 := func(a any, in []tensor64, _ []int) []float64 {
		s := in[0].shape
		var out []float64
		for b := range s[0] {
			out = append(out, in[0].data[(b*s[1]+a.(*Row).Index)*s[2]:][:s[2]]...)
		}
		return out
	}
	twins["select_row"], twins["slice_row"] = selectRow64, selectRow64
	twins["scatter_row"] = func(a any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		for b := range s[0] {
			copy(out[(b*s[1]+a.(*Row).Index)*s[2]:][:s[2]], in[0].data[b*s[2]:])
		}
		return out
	}
	twins["mean"] = func(_ any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		p := len(in[0].data) / len(out)
		for i, v := range in[0].data {
			out[i/(p*s[1])*s[1]+i%s[1]] += v / float64(p)
		}
		return out
	}
	twins["mean_grad"] = func(_ any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		d := s[len(s)-1]
		p := len(out) / len(in[0].data)
		for i := range out {
			out[i] = in[0].data[i/(p*d)*d+i%d] / float64(p)
		}
		return out
	}
	twins["normalize"] = func(_ any, in []tensor64, _ []int) []float64 {
		return overRows64(in, func(r [][]float64) []float64 {
			l := math.Sqrt(dot64(r[0], r[0]))
			out := make([]float64, len(r[0]))
			for i, v := range r[0] {
				out[i] = v / l
			}
			return out
		})
	}
	twins["normalize_grad"] = func(_ any, in []tensor64, _ []int) []float64 {
		return overRows64(in, func(r [][]float64) []float64 {
			l := math.Sqrt(dot64(r[1], r[1]))
			d := dot64(r[0], r[1])
			out := make([]float64, len(r[0]))
			for i := range out {
				out[i] = r[0][i]/l - r[1][i]*d/(l*l*l)
			}
			return out
		})
	}
	twins["transpose"] = func(a any, in []tensor64, _ []int) []float64 {
		s, k := in[0].shape, a.(*Transpose).Split
		return heads64(in[0].data, s[0], graph.Size(s[1:1+k]), graph.Size(s[1+k:]), 1)
	}
	twins["pick"] = func(_ any, in []tensor64, s []int) []float64 {
		out := make([]float64, s[0])
		n := len(in[0].data) / s[0]
		for i, w := range in[2].data {
			out[i/Picks] += w * in[0].data[i/Picks*n+int(in[1].data[i])]
		}
		return out
	}
	twins["pick_grad"] = func(_ any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		n := len(out) / s[0]
		for i, w := range in[2].data {
			out[i/Picks*n+int(in[1].data[i])] += w * in[0].data[i/Picks]
		}
		return out
	}
	twins["conv"] = func(a any, in []tensor64, s []int) []float64 { return conv64(a.(*Conv), in, s) }
	twins["conv_grad"] = func(a any, in []tensor64, s []int) []float64 { return convGrad64(a.(*ConvGrad).Conv, in[0], s) }
	twins["max_pool"] = func(a any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		maxima64(a.(*MaxPool), in[0], s, func(i, j int) { out[i] = in[0].data[j] })
		return out
	}
	twins["max_pool_grad"] = func(a any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		maxima64(a.(*MaxPool), in[1], in[0].shape, func(i, j int) { out[j] += in[0].data[i] })
		return out
	}
}

// weightOf reads a packed weight (Out,In) back through the identity.
func weightOf(w *Weight) []float64 {
	id := make([]float32, w.In*w.In)
	for i := range w.In {
		id[i*w.In+i] = 1
	}
	out := make([]float32, w.In*w.Out)
	runLinear(&graph.Call{Attrs: &Linear{W: w}, In: []graph.Value{{Shape: []int{w.In, w.In}, F: id}}, Out: out, Shape: []int{w.In, w.Out}, Threads: 1})
	t := make([]float64, len(out))
	for i := range w.In {
		for o := range w.Out {
			t[o*w.In+i] = float64(out[i*w.Out+o])
		}
	}
	return t
}

// taps64 calls f for every product of a convolution: offsets of y, x and the weight's place (o, i, kh, kw).
func taps64(c *Conv, xs, ys []int, f func(y, x, o, i, kh, kw int)) {
	for n := range ys[0] {
		for oh := range ys[1] {
			for ow := range ys[2] {
				for o := range ys[3] {
					for kh := range c.Filter.KH {
						for kw := range c.Filter.KW {
							ih, iw := oh*c.Stride-c.Pad+kh, ow*c.Stride-c.Pad+kw
							if ih < 0 || iw < 0 || ih >= xs[1] || iw >= xs[2] {
								continue
							}
							for i := range xs[3] {
								f(((n*ys[1]+oh)*ys[2]+ow)*ys[3]+o, ((n*xs[1]+ih)*xs[2]+iw)*xs[3]+i, o, i, kh, kw)
							}
						}
					}
				}
			}
		}
	}
}

func conv64(c *Conv, in []tensor64, s []int) []float64 {
	w := sampleWeights(c.Filter.O, c.Filter.I, c.Filter.KH)
	out := make([]float64, graph.Size(s))
	taps64(c, in[0].shape, s, func(y, x, o, i, kh, kw int) {
		out[y] += in[0].data[x] * float64(w[((o*c.Filter.I+i)*c.Filter.KH+kh)*c.Filter.KW+kw])
	})
	for i := range out {
		if c.Bias != nil {
			out[i] += float64(c.Bias[i%s[3]])
		}
		if len(in) > 1 {
			out[i] += in[1].data[i]
		}
	}
	return out
}

func convGrad64(c *Conv, dy tensor64, s []int) []float64 {
	w := sampleWeights(c.Filter.O, c.Filter.I, c.Filter.KH)
	out := make([]float64, graph.Size(s))
	taps64(c, s, dy.shape, func(y, x, o, i, kh, kw int) {
		out[x] += dy.data[y] * float64(w[((o*c.Filter.I+i)*c.Filter.KH+kh)*c.Filter.KW+kw])
	})
	return out
}

// maxima64 calls f with the offset of each output and of its maximum.
func maxima64(p *MaxPool, x tensor64, ys []int, f func(y, x int)) {
	s := x.shape
	for n := range ys[0] {
		for oh := range ys[1] {
			for ow := range ys[2] {
				for c := range ys[3] {
					best := -1
					for kh := range p.Kernel {
						for kw := range p.Kernel {
							ih, iw := oh*p.Stride-p.Pad+kh, ow*p.Stride-p.Pad+kw
							if ih < 0 || iw < 0 || ih >= s[1] || iw >= s[2] {
								continue
							}
							at := ((n*s[1]+ih)*s[2]+iw)*s[3] + c
							if best < 0 || x.data[at] > x.data[best] {
								best = at
							}
						}
					}
					f(((n*ys[1]+oh)*ys[2]+ow)*ys[3]+c, best)
				}
			}
		}
	}
}
