package kernel

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var codeNames = map[Code]string{Q4_0: "q4_0", Q4_1: "q4_1", Q8_0: "q8_0", Q4K: "q4k", Q5K: "q5k", Q6K: "q6k"}

func init() {
	differential["Gemm over codes"] = func(d *trial) [][]float32 {
		c, m, n, k := Code(1+d.r.IntN(int(codes)-1)), d.size(4), d.size(70), RunValues*d.size(4)
		p, _ := PackCoded(nil, c, k, n, func(_ int, dst Coded) error {
			x := randomCoded(rand.New(rand.NewPCG(uint64(n), uint64(k))), c, len(dst.Scale)/c.Scales())
			copy(dst.Codes, x.Codes)
			copy(dst.Scale, x.Scale)
			copy(dst.Low, x.Low)
			return nil
		})
		a, out := d.draw(m*k), d.out(m*n)
		Gemm(d.threads, m, a, k, p, out, n, d.epilogue(n, m*n))
		return [][]float32{out}
	}
}

// scalePattern is a scale as the code stores it, of any size that is finite.
func scalePattern(r *rand.Rand, c Code) uint32 {
	if !c.Wide() {
		if v := r.Uint32() & 0xffff; v>>10&31 != 31 {
			return v
		}
		return 0x3555
	}
	// A product of a binary16 and a number of six bits, as blocks of blocks have it.
	v := F16.value(uint16(r.Uint32()&0xbfff)) * float32(r.IntN(64))
	return math.Float32bits(v)
}

// randomCoded is rows of a coded matrix with codes that the format can hold.
func randomCoded(r *rand.Rand, c Code, runs int) Coded {
	var x Coded
	x.resize(c, runs)
	for i := range x.Codes {
		x.Codes[i] = byte(r.Uint32())
		switch c {
		case Q5K:
			x.Codes[i] &= 31
		case Q6K:
			x.Codes[i] = x.Codes[i]&63 - 32
		}
	}
	for i := range x.Scale {
		x.Scale[i] = scalePattern(r, c)
	}
	for i := range x.Low {
		x.Low[i] = scalePattern(r, c)
	}
	return x
}

func randomRuns(r *rand.Rand, c Code, runs int) []uint32 {
	p, _ := PackCoded(nil, c, runs*RunValues, panelWidth, func(_ int, dst Coded) error {
		x := randomCoded(r, c, panelWidth*runs)
		copy(dst.Codes, x.Codes)
		copy(dst.Scale, x.Scale)
		copy(dst.Low, x.Low)
		return nil
	})
	return p.coded
}

// definition is value i of run j of rows, computed in float64, where products of these numbers are exact.
func (x Coded) definition(c Code, j, i int) float32 {
	number := func(v uint32) float64 {
		if c.Wide() {
			return float64(math.Float32frombits(v))
		}
		return float64(F16.value(uint16(v)))
	}
	q := 0.0
	switch b := x.Codes[j*c.Bytes()+i%c.Bytes()]; c {
	case Q4_0:
		q = float64(b>>(i/16*4)&15) - 8
	case Q4_1, Q4K:
		q = float64(b >> (i / 16 * 4) & 15)
	default:
		q = float64(int8(b))
	}
	v := float32(q * number(x.Scale[j*c.Scales()+i/16%c.Scales()]))
	if c.Low() {
		v += float32(number(x.Low[j]))
	}
	return v
}

// Panels of coded values hold what their rows say, and products over them have the bits of those over the widened panels.
func TestCodedProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 82))
	for c, name := range codeNames {
		for _, s := range [][3]int{{1, 16, 32}, {1, 100, 576}, {3, 64, 96}, {4, 7, 416}, {17, 70, 448}, {150, 48, 32}} {
			m, n, k := s[0], s[1], s[2]
			rows := randomCoded(r, c, n*k/RunValues)
			p, err := PackCoded(&Store{}, c, k, n, func(lo int, dst Coded) error {
				x := rows.Part(c, lo*k/RunValues, lo*k/RunValues+len(dst.Scale)/c.Scales())
				copy(dst.Codes, x.Codes)
				copy(dst.Scale, x.Scale)
				copy(dst.Low, x.Low)
				return nil
			})
			if err != nil || p.Bytes() >= 2*n*k+2*panelWidth*k+1024 {
				t.Fatal(err, p.Bytes())
			}
			column, want := make([]float32, k), make([]float32, k)
			for _, j := range []int{0, n / 2, n - 1} {
				p.Column(column, j)
				for i := range want {
					want[i] = rows.definition(c, j*k/RunValues+i/RunValues, i%RunValues)
				}
				equal(t, name+" column", column, want)
				p.Widened().Column(column, j)
				equal(t, name+" widened column", column, want)
			}
			back := p.Transposed()
			equal(t, name+" transposed", back.data, p.Widened().Transposed().data)
			a, ep := random(r, m*k), Epilogue{Bias: random(r, n), Residual: random(r, m*n), Act: ActGELU}
			restore := SetLevel(Generic)
			product := make([]float32, m*n)
			Gemm(1, m, a, k, p.Widened(), product, n, ep)
			restore()
			everywhere(t, func(t *testing.T, threads int) {
				got := make([]float32, m*n)
				Gemm(threads, m, a, k, p, got, n, ep)
				equal(t, fmt.Sprint(name, s), got, product)
			})
		}
	}
}

// What reading rows fails with comes back.
func TestPackCodedFails(t *testing.T) {
	want := errors.New("no")
	if _, err := PackCoded(nil, Q4_1, 64, 40, func(int, Coded) error { return want }); err != want {
		t.Error(err)
	}
}
