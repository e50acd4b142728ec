package kernel

// PageTokens is how many positions one page of a key-value cache holds: a multiple of the width of a panel.
const PageTokens = 64

// KVPage holds the keys and values of PageTokens consecutive positions of one layer, laid out as the tile of a matrix product reads them: keys of a head
// as panels over positions, values as panels over the head's width. A page that is full never changes and may be shared.
type KVPage struct {
	heads, width int
	keys, values []float32
}

// NewKVPage makes an empty page for heads of a width.
func NewKVPage(heads, width int) *KVPage {
	w := panelsOf(width) * panelWidth
	data := make([]float32, heads*PageTokens*(width+w))
	return &KVPage{heads: heads, width: width, keys: data[:heads*PageTokens*width], values: data[heads*PageTokens*width:]}
}

// Bytes is the memory of a page's values.
func (p *KVPage) Bytes() int { return 4 * (len(p.keys) + len(p.values)) }

// Clone copies a page, so that the copy can be written.
func (p *KVPage) Clone() *KVPage {
	c := NewKVPage(p.heads, p.width)
	copy(c.keys, p.keys)
	copy(c.values, p.values)
	return c
}

// Put writes key and value (heads·width each) of the position at slot.
func (p *KVPage) Put(slot int, key, value []float32) {
	if slot < 0 || slot >= PageTokens || len(key) != p.heads*p.width || len(value) != len(key) {
		panic("kernel: KVPage: operands do not fit")
	}
	w := panelsOf(p.width)
	for h := range p.heads {
		k := p.keys[(h*PageTokens+slot/panelWidth*panelWidth)*p.width+slot%panelWidth:]
		for i, v := range key[h*p.width : (h+1)*p.width] {
			k[i*panelWidth] = v
		}
		row := value[h*p.width : (h+1)*p.width]
		for j := range w {
			lo := j * panelWidth
			copy(p.values[((h*w+j)*PageTokens+slot)*panelWidth:], row[lo:min(lo+panelWidth, p.width)])
		}
	}
}

// Keys says which positions [Lo,Hi) a query looks at.
type Keys struct{ Lo, Hi int }

// Attend sets out (row stride ldo) to the attention of queries q (row stride ldq, one a Keys) over one head of a cache: scores q·k, changed in place by
// adjust where that is not nil (row, scores of positions from..), softmax(scale·score) over the row's keys, times the values. The bits are those of the
// same steps over whole matrices.
func Attend(pages []*KVPage, head int, q []float32, ldq int, keys []Keys, scale float32, adjust func(row, from int, scores []float32), out []float32, ldo int) {
	t := current.Load()
	first, last := keys[0].Lo, keys[0].Hi
	for _, k := range keys {
		first, last = min(first, k.Lo), max(last, k.Hi)
	}
	if first < 0 || last > len(pages)*PageTokens {
		panic("kernel: Attend: keys outside the cache")
	}
	from, to := first/PageTokens, (last+PageTokens-1)/PageTokens
	rows, width := len(keys), pages[from].width
	panels := panelsOf(width)
	lds, ldt := (to-from)*PageTokens, panels*panelWidth
	s := scratch(rows * (lds + ldt))
	defer release(s)
	scores, sums := (*s)[:rows*lds], (*s)[rows*lds:]
	for p := from; p < to; p++ {
		// Positions behind last hold nothing yet; whole panels keep the tile simple.
		n := (min(PageTokens, last-p*PageTokens) + panelWidth - 1) / panelWidth
		t.gemmDeep(rows, n, width, q, ldq, pages[p].keys[head*PageTokens*width:], width*panelWidth, scores[(p-from)*PageTokens:], lds)
	}
	for r, k := range keys {
		row := scores[r*lds : (r+1)*lds]
		lo, hi := k.Lo-from*PageTokens, k.Hi-from*PageTokens
		if adjust != nil {
			adjust(r, k.Lo, row[lo:hi])
		}
		t.softmaxRange(row, row, lo, hi, scale)
	}
	for p := from; p < to; p++ {
		n := min(PageTokens, last-p*PageTokens)
		t.gemm(rows, panels, n, scores[(p-from)*PageTokens:], lds, pages[p].values[head*panels*PageTokens*panelWidth:], PageTokens*panelWidth, sums, ldt, p > from)
	}
	for r := range rows {
		copy(out[r*ldo:r*ldo+width], sums[r*ldt:])
	}
}

// gemmDeep is the tile over any depth.
func (t *table) gemmDeep(rows, panels, k int, a []float32, lda int, b []float32, bs int, c []float32, ldc int) {
	for k0 := 0; k0 < k; k0 += depth {
		t.gemm(rows, panels, min(depth, k-k0), a[k0:], lda, b[k0*panelWidth:], bs, c, ldc, k0 > 0)
	}
}
