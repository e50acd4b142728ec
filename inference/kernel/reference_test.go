package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// The float64 formulas that the accuracy is measured against, held against 400 bits themselves.

const bigBits = 400

func bigOf(x float64) *big.Float { return new(big.Float).SetPrec(bigBits).SetFloat64(x) }

func bigMul(a, b *big.Float) *big.Float { return bigOf(0).Mul(a, b) }

func bigQuo(a, b *big.Float) *big.Float { return bigOf(0).Quo(a, b) }

func bigAdd(a, b *big.Float) *big.Float { return bigOf(0).Add(a, b) }

// series adds terms, each made of the one before by next, until they do not count any more.
func series(first *big.Float, next func(term *big.Float, n int) *big.Float, value func(term *big.Float, n int) *big.Float) *big.Float {
	sum, term := bigOf(0), first
	for n := 0; ; n++ {
		v := value(term, n)
		sum.Add(sum, v)
		if v.Sign() == 0 || n > 8 && v.MantExp(nil) < sum.MantExp(nil)-bigBits {
			return sum
		}
		term = next(term, n)
	}
}

func same(term *big.Float, _ int) *big.Float { return term }

// bigExp is (e^(x/2^20))^(2^20) by the Taylor sum.
func bigExp(x *big.Float) *big.Float {
	const halvings = 20
	y := bigOf(0).SetMantExp(x, -halvings)
	e := series(bigOf(1), func(t *big.Float, n int) *big.Float { return bigQuo(bigMul(t, y), bigOf(float64(n+1))) }, same)
	for range halvings {
		e.Mul(e, e)
	}
	return e
}

// bigLog is Newton's method on e^y = x from the float64 value: each of four steps doubles the digits.
func bigLog(x *big.Float) *big.Float {
	f, _ := x.Float64()
	y := bigOf(math.Log(f))
	for range 4 {
		y = bigAdd(y, bigAdd(bigMul(x, bigExp(bigOf(0).Neg(y))), bigOf(-1)))
	}
	return y
}

// bigErf is 2/√π·Σ (-1)ⁿx^(2n+1)/(n!(2n+1)).
func bigErf(x *big.Float) *big.Float {
	s := bigMul(x, x)
	s.Neg(s)
	sum := series(x, func(t *big.Float, n int) *big.Float { return bigQuo(bigMul(t, s), bigOf(float64(n+1))) },
		func(t *big.Float, n int) *big.Float { return bigQuo(t, bigOf(float64(2*n+1))) })
	return bigQuo(bigMul(sum, bigOf(2)), bigOf(0).Sqrt(bigPi()))
}

// bigPi is 16·arctan(1/5) - 4·arctan(1/239) (Machin).
func bigPi() *big.Float {
	arctan := func(inverse float64) *big.Float {
		s := bigOf(-inverse * inverse)
		return series(bigQuo(bigOf(1), bigOf(inverse)), func(t *big.Float, _ int) *big.Float { return bigQuo(t, s) },
			func(t *big.Float, n int) *big.Float { return bigQuo(t, bigOf(float64(2*n+1))) })
	}
	return bigAdd(bigMul(bigOf(16), arctan(5)), bigMul(bigOf(-4), arctan(239)))
}

// bigSin is the sine of x + quarters·π/2, reduced by whole turns first.
func bigSin(x *big.Float, quarters float64) *big.Float {
	half := bigQuo(bigPi(), bigOf(2))
	x = bigAdd(x, bigMul(bigOf(quarters), half))
	turns, _ := bigQuo(x, bigMul(half, bigOf(4))).Int(nil)
	x = bigAdd(x, bigMul(bigMul(half, bigOf(-4)), new(big.Float).SetPrec(bigBits).SetInt(turns)))
	s := bigMul(x, x)
	s.Neg(s)
	return series(x, func(t *big.Float, n int) *big.Float { return bigQuo(bigMul(t, s), bigOf(float64((2*n+2)*(2*n+3)))) }, same)
}

func TestReferencesAreExactEnough(t *testing.T) {
	one := bigOf(1)
	logistic := func(x *big.Float) *big.Float { return bigQuo(one, bigAdd(one, bigExp(bigOf(0).Neg(x)))) }
	sqrtHalf := bigQuo(one, bigOf(0).Sqrt(bigOf(2)))
	exact := map[string]func(x *big.Float) *big.Float{
		"exp": bigExp, "log": bigLog, "erf": bigErf, "sigmoid": logistic,
		"tanh": func(x *big.Float) *big.Float {
			return bigAdd(bigMul(logistic(bigMul(x, bigOf(2))), bigOf(2)), bigOf(-1))
		},
		"sin":  func(x *big.Float) *big.Float { return bigSin(x, 0) },
		"cos":  func(x *big.Float) *big.Float { return bigSin(x, 1) },
		"silu": func(x *big.Float) *big.Float { return bigMul(x, logistic(x)) },
		"gelu": func(x *big.Float) *big.Float {
			return bigMul(bigQuo(x, bigOf(2)), bigAdd(one, bigErf(bigMul(x, sqrtHalf))))
		},
		"gelu tanh": func(x *big.Float) *big.Float {
			u := bigAdd(x, bigMul(bigMul(x, bigMul(x, x)), bigQuo(bigOf(44715), bigOf(1e6))))
			return bigMul(x, logistic(bigMul(u, bigMul(bigOf(2), bigOf(0).Sqrt(bigQuo(bigOf(2), bigPi()))))))
		},
	}
	r := rand.New(rand.NewPCG(61, 62))
	for _, c := range accuracies {
		f := exact[c.name]
		if f == nil {
			continue // the same formula, measured in another unit
		}
		for range 40 {
			x := float64(float32(r.NormFloat64() * math.Pow(2, float64(r.IntN(5)-2))))
			switch c.name {
			case "log":
				x = math.Exp(x)
			case "sin", "cos":
				if r.IntN(2) == 0 {
					x = float64(float32(math.Ldexp(x, r.IntN(100))))
				}
			case "gelu", "gelu tanh":
				x = max(x, float64(c.from))
			}
			want := f(bigOf(x))
			e := bigAdd(bigOf(c.exact(x)), bigOf(0).Neg(want))
			if e.Sign() == 0 {
				continue
			}
			rel, _ := e.Quo(e, want).Float64()
			if math.Abs(rel) > 0x1p-48 {
				t.Errorf("%s(%v) is wrong by %g of its value", c.name, x, rel)
			}
		}
		delete(exact, c.name)
	}
	for name := range exact {
		t.Errorf("%s is no function whose accuracy is stated", name)
	}
}
