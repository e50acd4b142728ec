package chart

import (
	"math"
	"sort"
)

// Attention holds attention probabilities of shape (L,H,T,T), row-major: the
// row is the token that looks, the column the token looked at.
type Attention struct {
	L, H, T int
	P       []float32
	Tokens  []Token
	Lang    string
}

// thumb is the largest edge of a small head picture; longer texts are pooled by
// the largest weight, and the page says so.
const thumb = 24

// maxMatrix is the largest number of tokens of the matrix of one head.
const maxMatrix = 64

// Valid says whether the sizes fit the data.
func (a *Attention) Valid() bool {
	return a != nil && a.L > 0 && a.H > 0 && a.T > 0 && len(a.P) == a.L*a.H*a.T*a.T
}

// head returns the T×T block of one head.
func (a *Attention) head(l, h int) []float32 {
	n := a.T * a.T
	at := (l*a.H + h) * n
	return a.P[at : at+n]
}

// Entropy is the mean over rows of the Shannon entropy in nats.
func (a *Attention) Entropy(l, h int) float64 {
	m := a.head(l, h)
	var sum float64
	for _, p := range m {
		if p > 0 {
			sum -= float64(p) * math.Log(float64(p))
		}
	}
	return sum / float64(a.T)
}

// Extremes finds the heads with the least and the most entropy.
func (a *Attention) Extremes() (loL, loH, hiL, hiH int, lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for l := range a.L {
		for h := range a.H {
			e := a.Entropy(l, h)
			if e < lo {
				lo, loL, loH = e, l, h
			}
			if e > hi {
				hi, hiL, hiH = e, l, h
			}
		}
	}
	return loL, loH, hiL, hiH, lo, hi
}

// small is the classes of one head's picture, n by n.
func (a *Attention) small(l, h int) (class []int8, n int) {
	n = min(a.T, thumb)
	m := a.head(l, h)
	pooled := make([]float64, n*n)
	for y := range a.T {
		for x := range a.T {
			at := (y*n/a.T)*n + x*n/a.T
			pooled[at] = math.Max(pooled[at], float64(m[y*a.T+x]))
		}
	}
	class = make([]int8, n*n)
	for i, p := range pooled {
		class[i] = int8(AttentionBin(p))
	}
	return class, n
}

// full is the classes of one head's matrix, cut to maxMatrix tokens.
func (a *Attention) full(l, h int) (class []int8, n int) {
	n = min(a.T, maxMatrix)
	m := a.head(l, h)
	class = make([]int8, n*n)
	for y := range n {
		for x := range n {
			class[y*n+x] = int8(AttentionBin(float64(m[y*a.T+x])))
		}
	}
	return class, n
}

// Pair is one weight between two tokens.
type Pair struct {
	From, To int
	P        float64
}

// Links are the k heaviest weights of one head between tokens that are not
// special, and how many such weights there are.
func (a *Attention) Links(l, h, k int) (links []Pair, of int) {
	m := a.head(l, h)
	for y := range a.T {
		for x := range a.T {
			if y < len(a.Tokens) && a.Tokens[y].Special || x < len(a.Tokens) && a.Tokens[x].Special {
				continue
			}
			of++
			links = append(links, Pair{y, x, float64(m[y*a.T+x])})
		}
	}
	sort.SliceStable(links, func(i, j int) bool { return links[i].P > links[j].P })
	return links[:min(k, len(links))], of
}

func (a *Attention) name(i int) string {
	if i < len(a.Tokens) {
		return a.Tokens[i].Text
	}
	return ""
}
