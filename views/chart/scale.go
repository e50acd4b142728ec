// Package chart draws the console's figures on the server as SVG and HTML: no
// script, no inline style, printable, and the same bytes for the same numbers.
//
// Letters: T tokens, L layers, H heads, W width and H height of an image.
package chart

import (
	"math"
	"strconv"
	"strings"
)

// Bin puts v on the scale of nine signed classes: -4 opposes most, 4 supports
// most, symmetric around zero, with limit the largest magnitude of the scale.
// A limit of zero, or a value that is not finite, gives 0.
func Bin(v, limit float64) int {
	if !(limit > 0) || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	b := int(math.Round(v / limit * 4))
	return max(-4, min(4, b))
}

// BinClass is the class name of a signed bin.
func BinClass(b int) string {
	switch {
	case b < 0:
		return "a-n" + strconv.Itoa(-b)
	case b > 0:
		return "a-p" + strconv.Itoa(b)
	}
	return "a-0"
}

// Limit is the largest magnitude of the finite values.
func Limit(values []float64) float64 {
	var m float64
	for _, v := range values {
		if a := math.Abs(v); a > m && !math.IsInf(a, 0) {
			m = a
		}
	}
	return m
}

// attentionSteps are the lower edges of the classes of an attention weight.
var attentionSteps = [...]float64{.02, .06, .12, .22, .38, .60}

// AttentionBin puts a probability on the seven classes of the unsigned scale.
func AttentionBin(p float64) int {
	for i := len(attentionSteps) - 1; i >= 0; i-- {
		if p >= attentionSteps[i] {
			return i + 1
		}
	}
	return 0
}

// num writes a coordinate with at most two decimals.
func num(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	s := strconv.FormatFloat(v, 'f', 2, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// cells draws the cells (row, column) of an h by w grid whose class is want, as
// one path; cells that touch in a row become one rectangle.
func cells(class []int8, w, h, want int) string {
	var b strings.Builder
	for y := 0; y < h; y++ {
		for x := 0; x < w; x++ {
			if int(class[y*w+x]) != want {
				continue
			}
			run := 1
			for x+run < w && int(class[y*w+x+run]) == want {
				run++
			}
			b.WriteByte('M')
			b.WriteString(strconv.Itoa(x))
			b.WriteByte(' ')
			b.WriteString(strconv.Itoa(y))
			b.WriteByte('h')
			b.WriteString(strconv.Itoa(run))
			b.WriteString("v1h-")
			b.WriteString(strconv.Itoa(run))
			b.WriteByte('z')
			x += run - 1
		}
	}
	return b.String()
}
