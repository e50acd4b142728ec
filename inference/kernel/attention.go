package kernel

// Heads is the geometry of scaled dot-product attention: B sequences, H heads of D values, TQ queries, TK keys and values. Shared heads of q read one head
// of k and v (grouped queries); zero means one.
type Heads struct {
	B, H, Shared, TQ, TK, D int
	Scale                   float32
	Causal                  bool // query i sees the keys up to TK-TQ+i
}

// Attention sets out (TQ,D) of each sequence and head to softmax(Scale·q·kᵀ)·v, the operands read where they lie and no map kept: Outer of a Batch is the
// distance of sequences, Inner of heads. The bits are those of MatMulBatch, Softmax (SoftmaxRange where Causal) and MatMulBatch. out must overlap no operand.
func Attention(threads int, h Heads, q, k, v, out Batch) {
	h.Shared = max(1, h.Shared)
	const text = "kernel: Attention: operand shorter than its shape"
	if q.Trans || k.Trans || v.Trans || out.Trans || h.H%h.Shared != 0 || h.Causal && h.TK < h.TQ {
		panic("kernel: Attention: operands do not fit")
	}
	q.fits(h.B, h.H, h.TQ, h.D, text)
	k.fits(h.B, h.H/h.Shared, h.TK, h.D, text)
	v.fits(h.B, h.H/h.Shared, h.TK, h.D, text)
	out.fits(h.B, h.H, h.TQ, h.D, text)
	if h.B*h.H*h.TQ*h.D == 0 {
		return
	}
	if h.TK == 0 {
		panic("kernel: Attention: no keys")
	}
	t := current.Load()
	per := h.TQ // queries of a unit; fewer where the heads alone do not feed the threads
	for per > 2*attentionRows && h.B*h.H*((h.TQ+per-1)/per) < 4*workers(threads) {
		per = (per/2 + attentionRows - 1) / attentionRows * attentionRows
	}
	blocks := (h.TQ + per - 1) / per
	Parallel(threads, h.B*h.H*blocks, func(u int) {
		b, i := u/blocks/h.H, u/blocks%h.H
		lo, hi := span(h.TQ, per, u%blocks)
		h.head(t, lo, hi, q.at(b, i), q.Row, k.at(b, i/h.Shared), k.Row, v.at(b, i/h.Shared), v.Row, out.at(b, i), out.Row)
	})
}

// attentionRows is how many queries are scored at once: their maps stay in the second-level cache.
const attentionRows = 48

// head computes queries lo..hi of one head.
func (h *Heads) head(t *table, lo, hi int, q []float32, ldq int, k []float32, ldk int, v []float32, ldv int, out []float32, ldo int) {
	panels := panelsOf(h.TK)
	lds := panels * panelWidth
	rows := min(attentionRows, hi-lo)
	inPlace := t.inPlace(hi-lo, h.D, false)
	packed := 0
	if !inPlace {
		packed = panelsOf(h.D) * panelWidth * h.TK
	}
	s := scratch(lds*h.D + packed + rows*lds)
	defer release(s)
	keys, values, scores := (*s)[:lds*h.D], (*s)[lds*h.D:lds*h.D+packed], (*s)[lds*h.D+packed:]
	t.pack(keys, k, ldk, h.D, h.TK, true)
	if !inPlace {
		t.pack(values, v, ldv, h.TK, h.D, false)
	}
	for ; lo < hi; lo += rows {
		n := min(rows, hi-lo)
		t.gemmDeep(n, panels, h.D, q[lo*ldq:], ldq, keys, h.D*panelWidth, scores, lds)
		for r := range n {
			row := scores[r*lds : r*lds+h.TK]
			if h.Causal {
				t.softmaxRange(row, row, 0, h.TK-h.TQ+lo+r+1, h.Scale)
			} else {
				t.softmax(row, row, h.Scale)
			}
		}
		if inPlace {
			t.productRows(n, h.D/panelWidth, h.TK, scores, lds, v, ldv, out[lo*ldo:], ldo)
			continue
		}
		gemmUnit(t, n, scores, lds, &Panel{K: h.TK, N: h.D, data: values}, 0, panelsOf(h.D), out, lo, ldo, Epilogue{})
	}
}
