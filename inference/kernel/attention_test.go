package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Strided batches against dense copies of their matrices.
func TestMatMulBatchReadsInPlace(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	for _, s := range [][3]int{{1, 1, 1}, {5, 7, 3}, {16, 16, 32}, {9, 23, 64}, {33, 50, 20}, {3, 64, 401}} {
		m, n, k := s[0], s[1], s[2]
		const outer, inner = 2, 3
		for _, form := range []struct{ ta, tb bool }{{}, {true, false}, {false, true}, {true, true}} {
			place := func(rows, cols int, trans bool) Batch { // heads side by side in wider rows
				if trans {
					rows, cols = cols, rows
				}
				row := inner*cols + r.IntN(5)
				return Batch{Data: random(r, outer*rows*row), Outer: rows * row, Inner: cols, Row: row, Trans: trans}
			}
			a, b, c := place(m, k, form.ta), place(k, n, form.tb), place(m, n, false)
			get := func(x Batch, o, i, r, c int) float32 {
				if x.Trans {
					r, c = c, r
				}
				return x.Data[o*x.Outer+i*x.Inner+r*x.Row+c]
			}
			everywhere(t, func(t *testing.T, threads int) {
				before := append([]float32(nil), c.Data...)
				MatMulBatch(threads, outer, inner, m, n, k, a, b, c)
				for u := range outer * inner {
					o, i := u/inner, u%inner
					want := chain(m, n, k, func(r, kk int) float32 { return get(a, o, i, r, kk) }, func(kk, j int) float32 { return get(b, o, i, kk, j) })
					for row := range m {
						at := o*c.Outer + i*c.Inner + row*c.Row
						equal(t, fmt.Sprint(s, form, u, row), c.Data[at:at+n], want[row*n:(row+1)*n])
						copy(before[at:at+n], want[row*n:(row+1)*n])
					}
				}
				equal(t, "around the results", c.Data, before)
			})
		}
	}
}

// The fused form against its parts.
func TestAttentionIsItsParts(t *testing.T) {
	r := rand.New(rand.NewPCG(53, 54))
	for _, h := range []Heads{
		{B: 2, H: 3, TQ: 5, TK: 5, D: 8, Scale: 0.5},
		{B: 1, H: 2, TQ: 130, TK: 130, D: 32, Scale: 0.25},
		{B: 1, H: 4, Shared: 2, TQ: 7, TK: 19, D: 20, Scale: 1, Causal: true},
		{B: 2, H: 1, TQ: 1, TK: 33, D: 64, Scale: 0.125, Causal: true},
		{B: 1, H: 1, TQ: 300, TK: 40, D: 16, Scale: 2},
	} {
		shared := max(1, h.Shared)
		side := func(tokens, heads int) Batch {
			w := heads * h.D
			return Batch{Data: random(r, h.B*tokens*w), Outer: tokens * w, Inner: h.D, Row: w}
		}
		q, k, v, out := side(h.TQ, h.H), side(h.TK, h.H/shared), side(h.TK, h.H/shared), side(h.TQ, h.H)
		repeat := func(x Batch) Batch { // every head of q its own copy of a shared head
			y := side(h.TK, h.H)
			for p := range h.B * h.TK {
				for i := range h.H {
					copy(y.Data[(p*h.H+i)*h.D:][:h.D], x.Data[(p*h.H/shared+i/shared)*h.D:])
				}
			}
			return y
		}
		restore := SetLevel(Generic)
		maps := Batch{Data: make([]float32, h.B*h.H*h.TQ*h.TK), Outer: h.H * h.TQ * h.TK, Inner: h.TQ * h.TK, Row: h.TK}
		kt := repeat(k)
		kt.Trans = true
		MatMulBatch(1, h.B, h.H, h.TQ, h.TK, h.D, q, kt, maps)
		for row := range h.B * h.H * h.TQ {
			m := maps.Data[row*h.TK : (row+1)*h.TK]
			if h.Causal {
				SoftmaxRange(m, m, 0, h.TK-h.TQ+row%h.TQ+1, h.Scale)
			} else {
				Softmax(1, 1, h.TK, m, m, h.Scale)
			}
		}
		want := side(h.TQ, h.H)
		MatMulBatch(1, h.B, h.H, h.TQ, h.D, h.TK, maps, repeat(v), want)
		restore()
		everywhere(t, func(t *testing.T, threads int) {
			clear(out.Data)
			Attention(threads, h, q, k, v, out)
			equal(t, fmt.Sprint(h), out.Data, want.Data)
		})
	}
}
