package explain

import (
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// Quadrature rules on [0,1]. Nodes and weights are computed with 200-bit arithmetic and rounded once, so that they
// are the same float64 values on every machine (math.Cos and fused multiply-adds are not).

const quadraturePrecision = 200

type rule struct{ nodes, weights []float64 }

var rules sync.Map // ruleKey -> *rule

// gaussLegendre gives the n-point Gauss-Legendre rule on [0,1], nodes ascending, as Captum's "gausslegendre" does.
func gaussLegendre(n int) *rule { return cachedRule("gl", n, computeGaussLegendre) }

// clenshawCurtis gives the rule with n+1 nodes (1-cos(k*pi/n))/2, n a power of two from 2 up; the nodes of n/2 are
// every second node of n.
func clenshawCurtis(n int) *rule { return cachedRule("cc", n, computeClenshawCurtis) }

// captumRules are the names Captum gives its rules.
var captumRules = []string{"gausslegendre", "riemann_middle", "riemann_trapezoid", "riemann_left", "riemann_right"}

// captumRule gives the nodes and weights of Captum 0.9 (captum/attr/_utils/approximation_methods.py), its trapezoid
// included, whose weights sum to (n-1)/n.
func captumRule(name string, n int) (*rule, error) {
	if name == "gausslegendre" || name == "" {
		return gaussLegendre(n), nil
	}
	r := &rule{make([]float64, n), make([]float64, n)}
	for k := range n {
		r.weights[k] = 1 / float64(n)
		switch name {
		case "riemann_left":
			r.nodes[k] = float64(k) / float64(n)
		case "riemann_right":
			r.nodes[k] = float64(k+1) / float64(n)
		case "riemann_middle":
			r.nodes[k] = float64(2*k+1) / float64(2*n)
		case "riemann_trapezoid":
			r.nodes[k] = float64(k) / float64(max(1, n-1))
			if k == 0 || k == n-1 {
				r.weights[k] /= 2
			}
		default:
			return nil, fmt.Errorf("explain: parameter rule: %q is not one of %s: %w", name, strings.Join(captumRules, ", "), ErrParam)
		}
	}
	return r, nil
}

type ruleKey struct {
	kind string
	n    int
}

func cachedRule(kind string, n int, compute func(int) *rule) *rule {
	key := ruleKey{kind, n}
	if r, ok := rules.Load(key); ok {
		return r.(*rule)
	}
	r, _ := rules.LoadOrStore(key, compute(n))
	return r.(*rule)
}

func bigFloat(v float64) *big.Float {
	return new(big.Float).SetPrec(quadraturePrecision).SetFloat64(v)
}

func bigNew() *big.Float { return new(big.Float).SetPrec(quadraturePrecision) }

func roundFloat(v *big.Float) float64 {
	f, _ := v.Float64()
	return f
}

// legendre evaluates P_n and P_(n-1) at x.
func legendre(n int, x *big.Float) (pn, previous *big.Float) {
	p0, p1 := bigFloat(1), bigNew().Set(x)
	for k := 2; k <= n; k++ {
		// k P_k = (2k-1) x P_(k-1) - (k-1) P_(k-2)
		a := bigNew().Mul(x, p1)
		a.Mul(a, bigFloat(float64(2*k-1)))
		b := bigNew().Mul(p0, bigFloat(float64(k-1)))
		a.Sub(a, b)
		a.Quo(a, bigFloat(float64(k)))
		p0, p1 = p1, a
	}
	return p1, p0
}

func computeGaussLegendre(n int) *rule {
	r := &rule{make([]float64, n), make([]float64, n)}
	if n == 1 {
		r.nodes[0], r.weights[0] = 0.5, 1
		return r
	}
	one := bigFloat(1)
	for i := 0; i < (n+1)/2; i++ {
		x := bigFloat(legendreGuess(n, i))
		var derivative *big.Float
		for range 7 { // quadratic convergence from about 1e-3: 7 steps exceed 200 bits
			pn, previous := legendre(n, x)
			// P'_n = n (x P_n - P_(n-1)) / (x^2 - 1)
			d := bigNew().Mul(x, pn)
			d.Sub(d, previous)
			d.Mul(d, bigFloat(float64(n)))
			square := bigNew().Mul(x, x)
			d.Quo(d, square.Sub(square, one))
			derivative = d
			x.Sub(x, pn.Quo(pn, d))
		}
		// weight on [-1,1] is 2/((1-x^2) P'^2), half of it on [0,1]
		w := bigNew().Mul(x, x)
		w.Sub(one, w)
		w.Mul(w, derivative).Mul(w, derivative)
		w.Quo(one, w)
		half := bigFloat(0.5)
		up := bigNew().Add(one, x)
		down := bigNew().Sub(one, x)
		r.nodes[n-1-i], r.nodes[i] = roundFloat(up.Mul(up, half)), roundFloat(down.Mul(down, half))
		r.weights[i], r.weights[n-1-i] = roundFloat(w), roundFloat(w)
	}
	return r
}

// legendreGuess is close to the i-th largest root of P_n: cos(pi (i+3/4)/(n+1/2)) by a Taylor-free route, the
// cosine table of the Clenshaw-Curtis rule, so that no platform's math.Cos matters.
func legendreGuess(n, i int) float64 {
	const steps = 4096
	position := (float64(i) + 0.75) / (float64(n) + 0.5) * steps
	k := int(position)
	table := cosineTable(steps)
	lo, hi := roundFloat(table[k]), roundFloat(table[k+1])
	return lo + float64((hi-lo)*(position-float64(k)))
}

var cosines sync.Map // int -> []*big.Float

// cosineTable gives cos(k*pi/n) for k = 0..n, n a power of two.
func cosineTable(n int) []*big.Float {
	if t, ok := cosines.Load(n); ok {
		return t.([]*big.Float)
	}
	first := bigFloat(0) // cos(pi/2)
	if n == 1 {
		first = bigFloat(-1)
	}
	for m := 2; m < n; m *= 2 { // cos(a/2) = sqrt((1+cos a)/2)
		first.Add(first, bigFloat(1))
		first.Mul(first, bigFloat(0.5))
		first.Sqrt(first)
	}
	t := make([]*big.Float, n+1)
	t[0], t[1] = bigFloat(1), first
	for k := 2; k <= n; k++ { // cos((k)a) = 2 cos(a) cos((k-1)a) - cos((k-2)a)
		c := bigNew().Mul(first, t[k-1])
		c.Mul(c, bigFloat(2))
		t[k] = c.Sub(c, t[k-2])
	}
	if n >= 2 {
		t[n/2] = bigFloat(0)
	}
	t[n] = bigFloat(-1)
	cosines.Store(n, t)
	return t
}

func computeClenshawCurtis(n int) *rule {
	r := &rule{make([]float64, n+1), make([]float64, n+1)}
	cos := cosineTable(n)
	at := func(m int) *big.Float { // cos(m*pi/n) for any m
		m %= 2 * n
		if m > n {
			m = 2*n - m
		}
		return cos[m]
	}
	one := bigFloat(1)
	ends := bigFloat(float64(n)*float64(n) - 1)
	for k := 0; k <= n; k++ {
		a := bigNew().Sub(one, cos[k])
		r.nodes[k] = roundFloat(a.Mul(a, bigFloat(0.5)))
		if k == 0 || k == n {
			w := bigNew().Mul(ends, bigFloat(2))
			r.weights[k] = roundFloat(w.Quo(one, w))
			continue
		}
		w := bigFloat(1)
		for j := 1; j <= n/2-1; j++ {
			t := bigNew().Mul(at(2*j*k), bigFloat(2))
			w.Sub(w, t.Quo(t, bigFloat(float64(4*j*j-1))))
		}
		t := bigNew().Quo(at(n*(k%2)), ends) // cos(k*pi)
		w.Sub(w, t)
		r.weights[k] = roundFloat(w.Quo(w, bigFloat(float64(n))))
	}
	return r
}
