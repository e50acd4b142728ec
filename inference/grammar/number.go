package grammar

import (
	"math/big"
	"strconv"
	"strings"
)

// Digits of numbers whose limits do not ask for more.
const (
	maxWhole    = 18
	maxFraction = 20
	maxDigits   = 40 // of a limit
)

// limit is a bound of numbers; open means that it is none of them itself.
type limit struct {
	v    *big.Rat
	open bool
}

// parseLimit reads a number of a schema exactly.
func parseLimit(keyword, raw string) (*big.Rat, error) {
	_, exponent, _ := strings.Cut(strings.ToLower(raw), "e")
	if e, err := strconv.Atoi(exponent); len(raw) > maxDigits || exponent != "" && (err != nil || e < -maxDigits || e > maxDigits) {
		return nil, unsupported("%s with so many digits", keyword)
	}
	v, ok := new(big.Rat).SetString(raw)
	if !ok {
		return nil, unsupported("%s %s", keyword, raw)
	}
	return v, nil
}

// number reads a number in plain digits, between limits where they are not nil.
func (b *builder) number(from, to int32, low, high *limit, whole bool) error {
	if low == nil && high == nil && !whole {
		b.scientific(from, to)
	}
	zero := new(big.Rat)
	if high == nil || high.v.Sign() > 0 || high.v.Sign() == 0 && !high.open {
		least := &limit{v: zero}
		if low != nil && low.v.Sign() >= 0 {
			least = low
		}
		if err := b.between(from, to, least, high, whole); err != nil {
			return err
		}
	}
	if low == nil || low.v.Sign() < 0 {
		least := &limit{v: zero, open: true}
		if high != nil && high.v.Sign() < 0 {
			least = &limit{new(big.Rat).Neg(high.v), high.open}
		}
		var most *limit
		if low != nil {
			most = &limit{new(big.Rat).Neg(low.v), low.open}
		}
		sign := b.state()
		b.edge(from, sign, '-', '-')
		return b.between(sign, to, least, most, whole)
	}
	return nil
}

// scientific reads a number with an exponent.
func (b *builder) scientific(from, to int32) {
	sign, mantissa, e, digits, last := b.state(), b.state(), b.state(), b.state(), b.state()
	b.edge(from, sign, '-', '-')
	b.jump(from, sign)
	b.digits(sign, mantissa, &span{low: "0", high: "9", highFraction: strings.Repeat("9", maxDigits+1)})
	b.edge(mantissa, e, 'e', 'e')
	b.edge(mantissa, e, 'E', 'E')
	b.edge(e, digits, '+', '+')
	b.edge(e, digits, '-', '-')
	b.jump(e, digits)
	b.edge(digits, to, '0', '9')
	b.edge(digits, last, '0', '9')
	b.edge(last, to, '0', '9')
}

// decimal is a limit's digits before and behind the point.
func (l *limit) decimal() (whole, fraction string, err error) {
	for _, digits := range []int{0, 10, maxDigits} {
		s := l.v.FloatString(digits)
		if back, ok := new(big.Rat).SetString(s); ok && back.Cmp(l.v) == 0 {
			whole, fraction, _ = strings.Cut(s, ".")
			return whole, strings.TrimRight(fraction, "0"), nil
		}
	}
	return "", "", unsupported("a limit of numbers with more than %d digits", maxDigits)
}

// span is what digits are compared with.
type span struct {
	low, high                 string // digits before the point, equally many
	lowFraction, highFraction string
	lowOpen, highOpen         bool
	whole                     bool
}

// between reads numbers without sign from low to high, nil for as many digits as there may be.
func (b *builder) between(from, to int32, low, high *limit, whole bool) error {
	a, af, err := low.decimal()
	if err != nil {
		return err
	}
	z, zf, zOpen := strings.Repeat("9", max(maxWhole, len(a)+1)), strings.Repeat("9", maxDigits+1), false
	if high != nil {
		if z, zf, err = high.decimal(); err != nil {
			return err
		}
		if c := low.v.Cmp(high.v); c > 0 || c == 0 && (low.open || high.open) {
			return nil
		}
		zOpen = high.open
	}
	for n := len(a); n <= len(z); n++ {
		s := span{low: "1" + strings.Repeat("0", n-1), high: strings.Repeat("9", n), whole: whole, highFraction: strings.Repeat("9", maxDigits+1)}
		if n == len(a) {
			s.low, s.lowFraction, s.lowOpen = a, af, low.open
		}
		if n == len(z) {
			s.high, s.highFraction, s.highOpen = z, zf, zOpen
		}
		b.digits(from, to, &s)
	}
	return b.err
}

// digit is a place within a number: digits read, and whether all of them equal those of the
// limits.
type digit struct {
	i           int
	fraction    bool
	tied, tied2 bool // to low, to high
}

// digits reads numbers of a span.
func (b *builder) digits(from, to int32, s *span) {
	ids := map[digit]int32{{tied: true, tied2: true}: from}
	todo := []digit{{tied: true, tied2: true}}
	at := func(d digit) int32 {
		id, ok := ids[d]
		if !ok {
			id = b.state()
			ids[d] = id
			todo = append(todo, d)
		}
		return id
	}
	places := max(maxFraction, len(s.lowFraction)+1)
	for len(todo) > 0 && b.err == nil {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		id := ids[d]
		low, high, n := s.low, s.high, len(s.low)
		if d.fraction {
			low, high, n = s.lowFraction, s.highFraction, places
		}
		if (d.fraction && d.i > 0 || !d.fraction && d.i == n) && s.holds(d) {
			b.jump(id, to)
		}
		if !d.fraction && d.i == n {
			if !s.whole {
				b.edge(id, at(digit{fraction: true, tied: d.tied, tied2: d.tied2}), '.', '.')
			}
			continue
		}
		if d.i >= n {
			continue
		}
		lo, hi := byte('0'), byte('9')
		if d.tied {
			lo = digitOf(low, d.i)
		}
		if d.tied2 {
			hi = digitOf(high, d.i)
		}
		for c := lo; c <= hi; c++ {
			b.edge(id, at(digit{d.i + 1, d.fraction, d.tied && c == lo, d.tied2 && c == hi}), c, c)
		}
	}
}

func digitOf(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return '0'
}

// holds says whether a number may end at d.
func (s *span) holds(d digit) bool {
	read := 0
	if d.fraction {
		read = d.i
	}
	if d.tied && (read < len(s.lowFraction) || s.lowOpen) {
		return false
	}
	return !d.tied2 || read < len(s.highFraction) || !s.highOpen
}
