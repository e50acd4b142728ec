package kernel

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// differential holds a call of every exported function, by name, with drawn shapes and operands; it returns all that the function writes. A test file adds its
// functions in init.
var differential = map[string]func(d *trial) [][]float32{}

// trial draws the operands of one call from its seed, so that a call can be repeated at another level.
type trial struct {
	r       *rand.Rand
	values  func(r *rand.Rand, n int) []float32
	place   func(x []float32) []float32 // where operands lie
	threads int
}

func newTrial(seed uint64, values func(*rand.Rand, int) []float32, threads int) *trial {
	return &trial{rand.New(rand.NewPCG(seed, 77)), values, func(x []float32) []float32 { return x }, threads}
}

// size is at least 1 and at most max.
func (d *trial) size(max int) int { return 1 + d.r.IntN(max) }

func (d *trial) draw(n int) []float32 { return d.place(d.values(d.r, n)) }

// scalar is any value that the operands may hold.
func (d *trial) scalar() float32 { return d.values(d.r, 1)[0] }

// out is a destination that holds something else before.
func (d *trial) out(n int) []float32 { return d.place(slices.Repeat([]float32{12345}, n)) }

// over is a destination that may be one of the sources.
func (d *trial) over(sources ...[]float32) []float32 {
	if i := d.r.IntN(2 * len(sources)); i < len(sources) {
		return sources[i]
	}
	return d.out(len(sources[0]))
}

// batch places matrices of rows × cols as heads side by side in wider rows.
func (d *trial) batch(outer, inner, rows, cols int, draw func(int) []float32) Batch {
	row := inner*cols + d.r.IntN(5)
	return Batch{Data: draw((outer*rows-1)*row + inner*cols), Outer: rows * row, Inner: cols, Row: row}
}

func (d *trial) epilogue(n, c int) Epilogue {
	ep := Epilogue{Act: Act(d.r.IntN(int(ActTanh) + 1))}
	if d.r.IntN(2) == 0 {
		ep.Bias = d.draw(n)
	}
	if d.r.IntN(2) == 0 {
		ep.Residual = d.draw(c)
	}
	return ep
}

func (d *trial) pool() (p Pool, in, out int) {
	p = Pool{N: d.size(2), H: 3 + d.r.IntN(6), W: 3 + d.r.IntN(6), C: d.size(20), KH: d.size(3), KW: d.size(3), StrideH: d.size(2), StrideW: d.size(3),
		Ceil: d.r.IntN(2) == 0, CountPad: d.r.IntN(2) == 0}
	p.PadTop, p.PadLeft = d.r.IntN(p.KH), d.r.IntN(p.KW)
	return p, p.N * p.H * p.W * p.C, p.N * p.OutH() * p.OutW() * p.C
}

func (d *trial) conv() (s Conv, f *Filter, x, y int) {
	s = Conv{N: d.size(2), H: 4 + d.r.IntN(6), W: 4 + d.r.IntN(6), KH: d.size(3), KW: d.size(3), StrideH: d.size(2), StrideW: d.size(2), Groups: 1}
	switch d.r.IntN(3) {
	case 0:
		s.C, s.O = d.size(70), d.size(70)
	case 1:
		s.Groups = d.size(4)
		s.C, s.O = s.Groups*d.size(4), s.Groups*d.size(20)
	default:
		s.C = d.size(40)
		s.Groups, s.O = s.C, s.C
	}
	s.PadTop, s.PadLeft, s.PadBottom, s.PadRight = d.r.IntN(2), d.r.IntN(3), d.r.IntN(2), d.r.IntN(3)
	f = PackConv(d.draw(s.O*s.C/s.Groups*s.KH*s.KW), s.O, s.C/s.Groups, s.KH, s.KW, s.Groups)
	return s, f, s.N * s.H * s.W * s.C, s.N * s.OutH() * s.OutW() * s.O
}

// variants are the kinds of operands.
var variants = []func(*rand.Rand, int) []float32{random, awkward, ties, wide}

// TestEveryFunctionAtEveryLevel compares each exported function, on each level and 1, 2 and 7 workers, with the portable code on one.
func TestEveryFunctionAtEveryLevel(t *testing.T) {
	seeds := uint64(16)
	if testing.Short() {
		seeds = 4
	}
	for name, call := range differential {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				compareLevels(t, call, seed, variants[seed%4])
			}
		})
	}
	for _, name := range overFloats(t) {
		if differential[name] == nil {
			t.Errorf("%s is compared nowhere; add it to differential", name)
		}
	}
}

func compareLevels(t *testing.T, call func(*trial) [][]float32, seed uint64, values func(*rand.Rand, int) []float32) {
	t.Helper()
	restore := SetLevel(Generic)
	want := call(newTrial(seed, values, 1))
	restore()
	for _, l := range Levels() {
		for _, threads := range []int{1, 2, 7} {
			restore := SetLevel(l)
			got := call(newTrial(seed, values, threads))
			restore()
			for i := range want {
				equal(t, fmt.Sprintf("seed %d, %s on %d workers, result %d", seed, l, threads, i), got[i], want[i])
			}
		}
	}
}

// overFloats lists the exported functions of the package that take float32 slices, from its source.
func overFloats(t *testing.T) []string {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("looking for the package's source:", err)
	}
	var out []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() {
				continue
			}
			if slices.ContainsFunc(fn.Type.Params.List, func(p *ast.Field) bool { return floats(p.Type) }) {
				out = append(out, fn.Name.Name)
			}
		}
	}
	return out
}

func floats(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "Batch"
	case *ast.ArrayType:
		id, ok := e.Elt.(*ast.Ident)
		return ok && id.Name == "float32"
	}
	return false
}

// TestLevelsSpeedUpTheSame: what the amd64 levels do in assembly, NEON does too. Its softmax is composed of parts that are.
func TestLevelsSpeedUpTheSame(t *testing.T) {
	assigned := regexp.MustCompile(`\bt\.(\w+) =`)
	entries := func(file string) map[string]bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, m := range assigned.FindAllStringSubmatch(strings.ReplaceAll(string(text), ", t.", " = t."), -1) {
			out[m[1]] = true
		}
		return out
	}
	amd64, arm64 := entries("level_amd64.go"), entries("level_arm64.go")
	arm64["softmax"] = true
	if len(amd64) < 20 {
		t.Fatalf("only %d entries found", len(amd64))
	}
	for name := range amd64 {
		if !arm64[name] {
			t.Errorf("level_arm64.go leaves %s portable", name)
		}
	}
}

// What is not finite shows in the result as IEEE 754 says: a NaN anywhere in a chain or a row makes its result NaN, infinities of one sign stay.
func TestNotFiniteOperandsShow(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	const k, n = 37, 21
	everywhere(t, func(t *testing.T, threads int) {
		for _, bad := range []float32{nan, inf, -inf} {
			for at := range k {
				a, w, c := slices.Repeat([]float32{1}, k), slices.Repeat([]float32{0.5}, k*n), make([]float32, n)
				a[at] = bad
				Gemm(threads, 1, a, k, Pack(w, k, n, false), c, n, Epilogue{})
				for j, v := range c {
					if math.Float32bits(v) != math.Float32bits(bad) && (v == v || bad == bad) {
						t.Fatalf("column %d of a product with %v at %d is %v", j, bad, at, v)
					}
				}
				if s := Sum(a); s != bad && (s == s || bad == bad) {
					t.Fatalf("the sum of a row with %v at %d is %v", bad, at, s)
				}
				y := make([]float32, k)
				Softmax(threads, 1, k, y, a, 1)
				LayerNorm(threads, 1, k, a, a, w[:k], w[:k], 1e-5, nil, nil)
				for i := range a {
					if hidden := bad != -inf && y[i] == y[i]; hidden || a[i] == a[i] {
						t.Fatalf("%v at %d is not to be seen: softmax %v, layer norm %v", bad, at, y[i], a[i])
					}
				}
				if bad == -inf && (y[at] != 0 || y[(at+1)%k] == 0) {
					t.Fatalf("-Inf is a mask, got %v", y)
				}
			}
		}
	})
}
