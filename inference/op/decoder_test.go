package op

import (
	"math"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// rms64 is a row divided by its root mean square, and one over that root.
func rms64(a *RMSNorm, x []float64) (xh []float64, rstd float64) {
	rstd = 1 / math.Sqrt(dot64(x, x)/float64(len(x))+a.Eps)
	for _, v := range x {
		xh = append(xh, v*rstd)
	}
	return xh, rstd
}

// overHeads64 is overRows64 over rows of n values.
func overHeads64(in []tensor64, n int, f func(row [][]float64) []float64) []float64 {
	cut := make([]tensor64, len(in))
	for i, t := range in {
		cut[i] = tensor64{[]int{len(t.data) / n, n}, t.data}
	}
	return overRows64(cut, f)
}

// attend64 is one query over keys and values of one head.
func attend64(q []float64, keys, values [][]float64, adjust func(scores []float64)) []float64 {
	scores := make([]float64, len(keys))
	for j, k := range keys {
		scores[j] = dot64(q, k)
	}
	adjust(scores)
	out := make([]float64, len(q))
	for j, p := range softmax64(scores, 1, false) {
		for i, v := range values[j] {
			out[i] += p * v
		}
	}
	return out
}

// cached64 reads the rows of a step back into sequences and computes query by query.
func cached64(a *CachedAttention, in []tensor64) []float64 {
	w, d := a.Width, a.H*a.Width
	var out []float64
	for i, p := range a.Step.Places {
		for h := range a.H {
			kv := h / (a.H / a.KV)
			var keys, values [][]float64
			first := 0
			if a.Cross {
				for j := range p.KV.Source {
					k, v := readPage(p.KV.Cross[a.Layer][0], kv, w, j)
					keys, values = append(keys, k), append(values, v)
				}
			} else {
				seen := kernel.Keys{}
				seen = visible(p.Position, a.Window)
				first = seen.Lo
				for j, other := range a.Step.Places {
					if other.KV == p.KV && other.Position >= seen.Lo && other.Position < seen.Hi {
						at := (j*a.KV + kv) * w
						keys, values = append(keys, in[1].data[at:at+w]), append(values, in[2].data[at:at+w])
					}
				}
			}
			out = append(out, attend64(in[0].data[i*d+h*w:][:w], keys, values, func(s []float64) {
				for j := range s {
					switch {
					case a.Cap != nil:
						s[j] = float64(a.Cap.Cap) * math.Tanh(s[j]*float64(a.Cap.Scale)/float64(a.Cap.Cap))
					case a.Bias != nil:
						s[j] += float64(a.Bias.Data[a.Bias.bucket(first+j-p.Position)*a.Bias.H+h])
					}
					s[j] *= float64(a.Scale)
				}
			})...)
		}
	}
	return out
}

// readPage reads a position back through attention: a query along one axis scores the key's coordinate, a lone key gives its value.
func readPage(p *kernel.KVPage, head, width, slot int) (key, value []float64) {
	v := make([]float32, width)
	kernel.Attend([]*kernel.KVPage{p}, head, make([]float32, width), width, []kernel.Keys{{Lo: slot, Hi: slot + 1}}, 1, nil, v, width)
	for i := range width {
		q := make([]float32, width)
		q[i] = 1
		out := make([]float32, width)
		kernel.Attend([]*kernel.KVPage{p}, head, q, width, []kernel.Keys{{Lo: slot, Hi: slot + 1}}, 1, func(_, _ int, s []float32) { key = append(key, float64(s[0])) }, out, width)
	}
	return key, widen(v)
}

func init() {
	twins["rms_norm"] = func(a any, in []tensor64, _ []int) []float64 {
		p := a.(*RMSNorm)
		return overHeads64(in, len(p.Gamma), func(row [][]float64) []float64 {
			xh, _ := rms64(p, row[0])
			for i := range xh {
				xh[i] *= float64(p.Gamma[i])
			}
			return xh
		})
	}
	twins["rms_norm_grad"] = func(a any, in []tensor64, _ []int) []float64 {
		p := a.(*RMSNorm)
		return overHeads64(in, len(p.Gamma), func(row [][]float64) []float64 {
			xh, rstd := rms64(p, row[1])
			g := make([]float64, len(xh))
			for i := range g {
				g[i] = row[0][i] * float64(p.Gamma[i])
			}
			m := dot64(g, xh) / float64(len(xh))
			for i := range g {
				g[i] = rstd * (g[i] - xh[i]*m)
			}
			return g
		})
	}
	twins["rope"] = func(a any, in []tensor64, s []int) []float64 {
		p := a.(*Rope)
		n := len(p.Table.Frequencies)
		var out []float64
		for i := 0; i < len(in[0].data); i += p.Width {
			token := i / s[2]
			position := float64(token % s[1])
			if len(in) > 1 {
				position = in[1].data[token]
			}
			x := append([]float64{}, in[0].data[i:i+p.Width]...)
			for j, f := range p.Table.Frequencies {
				sin, cos := math.Sincos(position * f)
				if p.Back {
					sin = -sin
				}
				u, v := x[j], x[j+n]
				x[j], x[j+n] = u*cos-v*sin, v*cos+u*sin
			}
			out = append(out, x...)
		}
		return out
	}
	twins["causal_softmax"] = func(a any, in []tensor64, s []int) []float64 {
		p := a.(*Causal)
		tq, tk, i := s[2], s[3], -1
		return overRows64(in, func(r [][]float64) []float64 {
			i++
			last := i%tq + tk - tq
			first := 0
			if p.Window > 0 {
				first = max(0, last+1-p.Window)
			}
			out := make([]float64, tk)
			copy(out[first:], softmax64(r[0][first:last+1], float64(p.Scale), false))
			return out
		})
	}
	twins["soft_cap"] = func(a any, in []tensor64, _ []int) []float64 {
		p := a.(*SoftCap)
		out := make([]float64, len(in[0].data))
		for i, v := range in[0].data {
			out[i] = float64(p.Cap) * math.Tanh(v*float64(p.Scale)/float64(p.Cap))
		}
		return out
	}
	twins["soft_cap_grad"] = func(a any, in []tensor64, _ []int) []float64 {
		p := a.(*SoftCap)
		out := make([]float64, len(in[0].data))
		for i, dy := range in[0].data {
			y := in[1].data[i] / float64(p.Cap)
			out[i] = dy * float64(p.Scale) * (1 - y*y)
		}
		return out
	}
	twins["mul"] = func(_ any, in []tensor64, _ []int) []float64 {
		out := make([]float64, len(in[0].data))
		for i := range out {
			out[i] = in[0].data[i] * in[1].data[i]
		}
		return out
	}
	twins["scale"] = func(a any, in []tensor64, _ []int) []float64 {
		out := make([]float64, len(in[0].data))
		for i := range out {
			out[i] = in[0].data[i] * float64(a.(*Factor).By)
		}
		return out
	}
	twins["repeat_heads"] = func(a any, in []tensor64, s []int) []float64 {
		out, n := make([]float64, graph.Size(s)), s[2]*s[3]
		for i := range out {
			out[i] = in[0].data[i/n/a.(*Group).Heads*n+i%n]
		}
		return out
	}
	twins["sum_heads"] = func(a any, in []tensor64, s []int) []float64 {
		out, n := make([]float64, graph.Size(s)), s[2]*s[3]
		for i, v := range in[0].data {
			out[i/n/a.(*Group).Heads*n+i%n] += v
		}
		return out
	}
	twins["relative_bias"] = func(a any, in []tensor64, s []int) []float64 {
		p := a.(*RelativeBias)
		out := make([]float64, len(in[0].data))
		for i, v := range in[0].data {
			key, query, head := i%s[3], i/s[3]%s[2]+s[3]-s[2], i/(s[2]*s[3])%s[1]
			out[i] = v + float64(p.Data[bucket64(p, key-query)*p.H+head])
		}
		return out
	}
	twins["cached_attention"] = func(a any, in []tensor64, _ []int) []float64 { return cached64(a.(*CachedAttention), in) }
	twins["take_rows"] = func(_ any, in []tensor64, s []int) []float64 {
		var out []float64
		for _, r := range in[1].data {
			out = append(out, in[0].data[int(r)*s[2]:(int(r)+1)*s[2]]...)
		}
		return out
	}
	twins["put_rows"] = func(_ any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		for i, v := range in[0].data {
			out[int(in[1].data[i/s[2]])*s[2]+i%s[2]] += v
		}
		return out
	}
}

func init() {
	twins["take_row"] = func(_ any, in []tensor64, s []int) []float64 {
		var out []float64
		for b, r := range in[1].data {
			out = append(out, in[0].data[(b*in[0].shape[1]+int(r))*s[2]:][:s[2]]...)
		}
		return out
	}
	twins["put_row"] = func(_ any, in []tensor64, s []int) []float64 {
		out := make([]float64, graph.Size(s))
		for i, v := range in[0].data {
			out[(i/s[2]*s[1]+int(in[1].data[i/s[2]]))*s[2]+i%s[2]] = v
		}
		return out
	}
}

// bucket64 follows the reference's text: _relative_position_bucket of modeling_t5.py.
func bucket64(a *RelativeBias, relative int) int {
	buckets, at := a.Buckets, 0
	if a.TwoWay {
		buckets /= 2
		if relative > 0 {
			at = buckets
		}
		relative = int(math.Abs(float64(relative)))
	} else {
		relative = -min(relative, 0)
	}
	if exact := buckets / 2; relative >= exact {
		large := float64(exact) + math.Log(float64(relative)/float64(exact))/math.Log(float64(a.MaxDistance)/float64(exact))*float64(buckets-exact)
		return at + min(int(large+1e-9), buckets-1)
	}
	return at + relative
}
