package chart

import (
	"math"
	"sort"
	"strconv"
	"strings"
)

// Heat is a map over an image: H rows of W values, raw and signed. Display
// only: it is reduced to at most 64 cells an edge by the mean of each block.
type Heat struct {
	W, H   int
	Values []float64
	Signed bool // both signs are drawn; otherwise values below zero are blank
}

// heatEdge is the largest edge of a drawn map.
const heatEdge = 64

// Valid says whether the sizes fit the data.
func (m Heat) Valid() bool { return m.W > 0 && m.H > 0 && len(m.Values) == m.W*m.H }

// Reduced says whether drawing needs fewer cells than there are values.
func (m Heat) Reduced() bool { return m.W > heatEdge || m.H > heatEdge }

// reduce returns the map with at most heatEdge cells an edge.
func (m Heat) reduce() Heat {
	if !m.Reduced() {
		return m
	}
	w, h := min(m.W, heatEdge), min(m.H, heatEdge)
	out := Heat{W: w, H: h, Values: make([]float64, w*h), Signed: m.Signed}
	n := make([]int, w*h)
	for y := range m.H {
		for x := range m.W {
			at := (y*h/m.H)*w + x*w/m.W
			out.Values[at] += m.Values[y*m.W+x]
			n[at]++
		}
	}
	for i, k := range n {
		out.Values[i] /= float64(k)
	}
	return out
}

// layer is one class of a map, drawn as one path.
type layer struct{ class, d string }

// layers draws the map: violet h1 to h6 for unsigned maps, the nine signed
// classes without the middle for signed ones.
func (m Heat) layers() []layer {
	limit := Limit(m.Values)
	class := make([]int8, len(m.Values))
	for i, v := range m.Values {
		if m.Signed {
			class[i] = int8(Bin(v, limit))
		} else if v > 0 && limit > 0 {
			class[i] = int8(math.Round(v / limit * 6))
		}
	}
	var out []layer
	if m.Signed {
		for b := -4; b <= 4; b++ {
			if d := cells(class, m.W, m.H, b); b != 0 && d != "" {
				out = append(out, layer{"s" + BinClass(b), d})
			}
		}
		return out
	}
	for b := 1; b <= 6; b++ {
		if d := cells(class, m.W, m.H, b); d != "" {
			out = append(out, layer{"h" + strconv.Itoa(b), d})
		}
	}
	return out
}

// contour outlines the cells whose value is at least half of the largest.
func (m Heat) contour() string {
	limit := 0.0
	for _, v := range m.Values {
		limit = math.Max(limit, v)
	}
	in := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < m.W && y < m.H && limit > 0 && m.Values[y*m.W+x] >= limit/2
	}
	var b strings.Builder
	line := func(x, y int, dir string) {
		b.WriteString("M" + strconv.Itoa(x) + " " + strconv.Itoa(y) + dir)
	}
	for y := 0; y <= m.H; y++ {
		for x := 0; x <= m.W; x++ {
			if in(x, y) != in(x, y-1) {
				line(x, y, "h1")
			}
			if in(x, y) != in(x-1, y) {
				line(x, y, "v1")
			}
		}
	}
	return b.String()
}

// Region is one block of a map, in words and numbers.
type Region struct {
	Row, Col int // of a 3 by 3 division, from 0
	X, Y     int // of the block in the coarse grid, from 0
	N        int // edge of the coarse grid
	Sum      float64
	Share    float64 // of the sum of all positive values
}

// Regions divides the map into a grid of at most 7 by 7 blocks and returns the
// k with the largest sum.
func (m Heat) Regions(k int) []Region {
	n := min(7, m.W, m.H)
	if n == 0 {
		return nil
	}
	sums := make([]float64, n*n)
	var total float64
	for y := range m.H {
		for x := range m.W {
			v := m.Values[y*m.W+x]
			sums[(y*n/m.H)*n+x*n/m.W] += v
			total += math.Max(0, v)
		}
	}
	out := make([]Region, 0, n*n)
	for i, s := range sums {
		r := Region{Row: (i / n) * 3 / n, Col: (i % n) * 3 / n, X: i % n, Y: i / n, N: n, Sum: s}
		if total > 0 {
			r.Share = s / total
		}
		out = append(out, r)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Sum > out[j].Sum })
	out = out[:min(k, len(out))]
	for i, r := range out {
		if r.Sum <= 0 {
			return out[:i]
		}
	}
	return out
}
