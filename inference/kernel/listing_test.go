//go:build amd64 && !noasm

package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// run calls a row function: n, then pointers to n elements (16 for lanes), then scalars.
func (s *sim) run(name string, n int, lanes *[16]float32, rows []*float32, scalars ...float32) {
	m := &machine{}
	m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(n))
	add := func(p *float32, n int) {
		// A source may be the destination; then both pointers are the same.
		mem := unsafe.Slice((*uint32)(unsafe.Pointer(p)), n)
		base := int64(len(m.regions)+1) << 32
		for _, r := range m.regions {
			if &r.mem[0] == &mem[0] {
				base = r.base
			}
		}
		m.regions = append(m.regions, region{base, mem})
		m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(base))
	}
	if lanes != nil {
		add(&lanes[0], 16)
	}
	for _, p := range rows {
		add(p, n)
	}
	for _, v := range scalars {
		m.frame = binary.LittleEndian.AppendUint32(m.frame, math.Float32bits(v))
	}
	s.call(name, m)
}

// tile is a matrix tile run by the simulator; its operands end exactly where the shapes say.
func (s *sim) tile(level string, rows, panels int, strided bool) gemmTile {
	name := fmt.Sprintf("gemm_%s_%dx%d", level, rows, panels)
	if strided {
		name += "s"
	}
	return func(k int, a *float32, lda int, b *float32, bs int, c *float32, ldc int, flags int, ahead uintptr, step int, bias, residual *float32, tiles int) {
		rows := rows * tiles
		m := &machine{}
		frame := func(v int64) { m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(v)) }
		add := func(p *float32, n int) {
			if p == nil {
				frame(0)
				return
			}
			base := int64(len(m.regions)+1) << 32
			m.regions = append(m.regions, region{base, unsafe.Slice((*uint32)(unsafe.Pointer(p)), n)})
			frame(base)
		}
		frame(int64(k))
		add(a, (rows-1)*lda+k)
		frame(int64(lda))
		if strided {
			add(b, (k-1)*bs+panels*panelWidth)
		} else {
			add(b, (panels-1)*bs+k*panelWidth)
		}
		frame(int64(bs))
		add(c, (rows-1)*ldc+panels*panelWidth)
		frame(int64(ldc))
		frame(int64(flags))
		frame(int64(ahead))
		frame(int64(step))
		add(bias, panels*panelWidth)
		add(residual, (rows-1)*ldc+panels*panelWidth)
		frame(int64(tiles))
		s.call(name, m)
	}
}

// tiles are the simulated ones of those that a level has.
func (s *sim) tiles(level string, built *tileSet, strided bool) *tileSet {
	var out tileSet
	for r := range out {
		for p := range out[r] {
			if built[r][p] != nil {
				out[r][p] = s.tile(level, r, p, strided)
			}
		}
	}
	return &out
}

// transpose is the block transposition run by the simulator.
func (s *sim) transpose(blocks int, dst *float32, ldd int, src *float32, lds int) {
	const from, to = 1 << 32, 2 << 32
	m := &machine{regions: []region{
		{from, unsafe.Slice((*uint32)(unsafe.Pointer(src)), 7*lds+8*blocks)},
		{to, unsafe.Slice((*uint32)(unsafe.Pointer(dst)), (8*blocks-1)*ldd+8)},
	}}
	for _, v := range []int{blocks, to, ldd, from, lds} {
		m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(v))
	}
	s.call("transpose_avx2", m)
}

// widen is a conversion run by the simulator.
func (s *sim) widen(format string) func(n int, dst *float32, src *uint16) {
	return func(n int, dst *float32, src *uint16) {
		const from, to = 1 << 32, 2 << 32
		m := &machine{regions: []region{
			{from, unsafe.Slice((*uint32)(unsafe.Pointer(src)), n/2)},
			{to, unsafe.Slice((*uint32)(unsafe.Pointer(dst)), n)},
		}}
		for _, v := range []int{n, to, from} {
			m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(v))
		}
		s.call("widen_"+format+"_avx2", m)
	}
}

// coded is a widening run by the simulator.
func (s *sim) coded(c Code) func(runs int, dst *float32, src *uint32) {
	return func(runs int, dst *float32, src *uint32) {
		const from, to = 1 << 32, 2 << 32
		m := &machine{regions: []region{
			{from, unsafe.Slice(src, runs*c.words())},
			{to, unsafe.Slice((*uint32)(unsafe.Pointer(dst)), runs*RunValues*panelWidth)},
		}}
		for _, v := range []int{runs, to, from} {
			m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(v))
		}
		s.call("widen_"+codeNames[c]+"_avx2", m)
	}
}

// codedRow is a row's product run by the simulator.
func (s *sim) codedRow(c Code) func(runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32) {
	return func(runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32) {
		m := &machine{}
		m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(runs))
		add := func(mem []uint32) {
			base := int64(len(m.regions)+1) << 32
			m.regions = append(m.regions, region{base, mem})
			m.frame = binary.LittleEndian.AppendUint64(m.frame, uint64(base))
		}
		floats := func(p *float32, n int) { add(unsafe.Slice((*uint32)(unsafe.Pointer(p)), n)) }
		floats(a, runs*RunValues)
		add(unsafe.Slice(b0, runs*c.words()))
		add(unsafe.Slice(b1, runs*c.words()))
		floats(c0, panelWidth)
		floats(c1, panelWidth)
		floats(table, codePlaces*2*panelWidth)
		s.call("row_"+codeNames[c]+"_avx2", m)
	}
}

// table is a level whose every function is simulated.
func (vm *sim) table(level Level, packed, strided *tileSet) *table {
	v := string(level)
	t := genericTable()
	t.level = level
	t.use(vm.tiles(v, packed, false), vm.tiles(v, strided, true))
	t.add = asm2(func(n int, dst, a, b *float32) { vm.run("add_"+v, n, nil, []*float32{dst, a, b}) })
	t.sub = asm2(func(n int, dst, a, b *float32) { vm.run("sub_"+v, n, nil, []*float32{dst, a, b}) })
	t.mul = asm2(func(n int, dst, a, b *float32) { vm.run("mul_"+v, n, nil, []*float32{dst, a, b}) })
	t.div = asm2(func(n int, dst, a, b *float32) { vm.run("div_"+v, n, nil, []*float32{dst, a, b}) })
	t.scale = asm1s(func(n int, dst, a *float32, s float32) { vm.run("scale_"+v, n, nil, []*float32{dst, a}, s) })
	t.divide = asm1s(func(n int, dst, a *float32, s float32) { vm.run("divide_"+v, n, nil, []*float32{dst, a}, s) })
	t.axpy = asm2s(func(n int, dst, a, b *float32, s float32) { vm.run("axpy_"+v, n, nil, []*float32{dst, a, b}, s) })
	t.fma3 = asm3(func(n int, dst, a, b, c *float32) { vm.run("fma3_"+v, n, nil, []*float32{dst, a, b, c}) })
	t.relu = asm1(func(n int, dst, a *float32) { vm.run("relu_"+v, n, nil, []*float32{dst, a}) })
	t.larger = asm2(func(n int, dst, a, b *float32) { vm.run("larger_"+v, n, nil, []*float32{dst, a, b}) })
	t.relugrad = asm2(func(n int, dst, a, b *float32) { vm.run("relugrad_"+v, n, nil, []*float32{dst, a, b}) })
	t.exp = asm1s(func(n int, dst, a *float32, s float32) { vm.run("exp_"+v, n, nil, []*float32{dst, a}, s) })
	t.standard = asm1st(func(n int, dst, a *float32, s, t float32) { vm.run("standard_"+v, n, nil, []*float32{dst, a}, s, t) })
	t.norm = asm3st(func(n int, dst, a, b, c *float32, s, t float32) {
		vm.run("norm_"+v, n, nil, []*float32{dst, a, b, c}, s, t)
	})
	t.normback = asm2stu(func(n int, dst, a, b *float32, s, t, u float32) {
		vm.run("normback_"+v, n, nil, []*float32{dst, a, b}, s, t, u)
	})
	t.softback = asm2st(func(n int, dst, a, b *float32, s, t float32) {
		vm.run("softback_"+v, n, nil, []*float32{dst, a, b}, s, t)
	})
	t.erf = asm1(func(n int, dst, a *float32) { vm.run("erf_"+v, n, nil, []*float32{dst, a}) })
	t.tanh = asm1(func(n int, dst, a *float32) { vm.run("tanh_"+v, n, nil, []*float32{dst, a}) })
	t.sigmoid = asm1(func(n int, dst, a *float32) { vm.run("sigmoid_"+v, n, nil, []*float32{dst, a}) })
	t.log = asm1(func(n int, dst, a *float32) { vm.run("log_"+v, n, nil, []*float32{dst, a}) })
	t.silu = asm1(func(n int, dst, a *float32) { vm.run("silu_"+v, n, nil, []*float32{dst, a}) })
	t.gelu = asm1(func(n int, dst, a *float32) { vm.run("gelu_"+v, n, nil, []*float32{dst, a}) })
	t.gelutanh = asm1(func(n int, dst, a *float32) { vm.run("gelutanh_"+v, n, nil, []*float32{dst, a}) })
	t.silugrad = asm2(func(n int, dst, a, b *float32) { vm.run("silugrad_"+v, n, nil, []*float32{dst, a, b}) })
	t.gelugrad = asm2(func(n int, dst, a, b *float32) { vm.run("gelugrad_"+v, n, nil, []*float32{dst, a, b}) })
	t.gelutanhgrad = asm2(func(n int, dst, a, b *float32) { vm.run("gelutanhgrad_"+v, n, nil, []*float32{dst, a, b}) })
	t.tanhgrad = asm2(func(n int, dst, a, b *float32) { vm.run("tanhgrad_"+v, n, nil, []*float32{dst, a, b}) })
	t.sigmoidgrad = asm2(func(n int, dst, a, b *float32) { vm.run("sigmoidgrad_"+v, n, nil, []*float32{dst, a, b}) })
	t.erfgrad = asm2(func(n int, dst, a, b *float32) { vm.run("erfgrad_"+v, n, nil, []*float32{dst, a, b}) })
	t.sum = asmSum(func(n int, l *[16]float32, a *float32) { vm.run("sum_"+v, n, l, []*float32{a}) })
	t.dot = asmDot(func(n int, l *[16]float32, a, b *float32) { vm.run("dot_"+v, n, l, []*float32{a, b}) })
	t.squares = asmSquares(func(n int, l *[16]float32, a *float32, s float32) { vm.run("squares_"+v, n, l, []*float32{a}, s) })
	t.softmax = t.asmSoftmax(func(n int, dst, a *float32, s float32) { vm.run("softmax_"+v, n, nil, []*float32{dst, a}, s) })
	t.transpose = asmTranspose(vm.transpose)
	t.widenF16, t.widenBF16 = asmWiden(vm.widen("f16")), asmWiden(vm.widen("bf16"))
	var coded [codes]func(runs int, dst *float32, src *uint32)
	var row [codes]func(runs int, a *float32, b0, b1 *uint32, c0, c1, table *float32)
	for c := range codeNames {
		coded[c], row[c] = vm.coded(c), vm.codedRow(c)
	}
	t.widenCoded, t.codedRow = asmCoded(coded), asmCodedRow(row)
	t.max = asmMax(func(n int, l *[16]float32, a *float32) { vm.run("max_"+v, n, l, []*float32{a}) })
	return t
}

func (s *sim) tables() []*table {
	return []*table{s.table("avx2", &gemmTiles_avx2, &stridedTiles_avx2), s.table("avx512", &gemmTiles_avx512, &stridedTiles_avx512)}
}

func TestListingsComputeTheSameBits(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	s := newSim(t)
	for _, tb := range s.tables() {
		for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100} {
			for _, make := range []func(*rand.Rand, int) []float32{random, awkward, wide} {
				a, b, c := make(r, n), make(r, n), make(r, n)
				want := outputs(tables[0], a, b, c, a[0], b[0], c[0])
				for name, got := range outputs(tb, a, b, c, a[0], b[0], c[0]) {
					equal(t, fmt.Sprintf("%s %s n=%d", tb.level, name, n), got, want[name])
				}
				x := random(r, n)
				if got, want := tb.max(x), tables[0].max(x); got != want {
					t.Errorf("%s max n=%d: %v, want %v", tb.level, n, got, want)
				}
			}
		}
		productsMatch(t, tb, r)
		for _, n := range [][2]int{{8, 8}, {9, 31}, {24, 17}, {5, 40}} {
			rows, cols := n[0], n[1]
			lds, ldd := cols+r.IntN(3), rows+r.IntN(3)
			x, got, want := random(r, (rows-1)*lds+cols), make([]float32, (cols-1)*ldd+rows), make([]float32, (cols-1)*ldd+rows)
			tb.transpose(got, ldd, x, lds, rows, cols)
			transposeGeneric(want, ldd, x, lds, rows, cols)
			equal(t, fmt.Sprint(tb.level, " transposition ", n), got, want)
		}
		half := make([]uint16, 1<<16)
		for i := range half {
			half[i] = uint16(i)
		}
		got, want := make([]float32, 1<<16), make([]float32, 1<<16)
		tb.widenF16(got, half)
		widenF16Generic(want, half)
		equal(t, fmt.Sprint(tb.level, " binary16"), got, want)
		tb.widenBF16(got, half)
		widenBF16Generic(want, half)
		equal(t, fmt.Sprint(tb.level, " bfloat16"), got, want)
		for c, name := range codeNames {
			runs := randomRuns(r, c, 5)
			got, want := make([]float32, 5*RunValues*panelWidth), make([]float32, 5*RunValues*panelWidth)
			tb.widenCoded(c, got, runs)
			c.widenGeneric(want, runs)
			equal(t, fmt.Sprint(tb.level, " ", name), got, want)
			const panels = 3
			p := &Panel{K: 2 * RunValues, N: panels * panelWidth, code: c, coded: randomRuns(r, c, 2*panels)}
			a := awkward(r, p.K)
			got, want = make([]float32, p.N), make([]float32, p.N)
			tb.codedRow(p, 0, panels, a, got)
			gemmExact(1, panels, p.K, a, p.K, p.Widened().data, p.K*panelWidth, want, p.N, false)
			equal(t, fmt.Sprint(tb.level, " row with ", name), got, want)
		}
	}
	for name := range s.program {
		if _, ok := s.called.Load(name); !ok && !strings.HasPrefix(name, "peak_") { // computes nothing
			t.Errorf("the listing of %s is not simulated", name)
		}
	}
}

// productsMatch compares the matrix tiles of a table, all heights and widths, with the plainest form.
func productsMatch(t *testing.T, tb *table, r *rand.Rand) {
	for rows := 1; rows <= 13; rows++ {
		for panels := 1; panels <= 5; panels++ {
			for _, k := range []int{1, 3, 4, 5, 9} {
				n := panels * panelWidth
				lda, bs, ldb, ldc := k+r.IntN(3), k*panelWidth+r.IntN(3), n+r.IntN(3), n+r.IntN(3)
				a, b := awkward(r, (rows-1)*lda+k), awkward(r, (panels-1)*bs+k*panelWidth)
				got := random(r, (rows-1)*ldc+n)
				want, start := slices.Clone(got), slices.Clone(got)
				load := r.IntN(2) == 0
				what := fmt.Sprint(tb.level, " tile ", rows, panels, k)
				tb.gemm(rows, panels, k, a, lda, b, bs, got, ldc, load)
				gemmExact(rows, panels, k, a, lda, b, bs, want, ldc, load)
				equal(t, what, got, want)

				end := tileEnd{relu: r.IntN(2) == 0}
				if r.IntN(2) == 0 {
					end.bias = random(r, n)
				}
				if r.IntN(2) == 0 {
					end.residual = random(r, len(got))
				}
				got = slices.Clone(start)
				tb.gemmLast(rows, panels, k, a, lda, b, bs, got, ldc, load, end)
				end.apply(rows, panels, want, ldc)
				equal(t, what+" with its end", got, want)

				rowsOfB, packed := awkward(r, (k-1)*ldb+n), make([]float32, n*k)
				tb.pack(packed, rowsOfB, ldb, k, n, false)
				got, want = slices.Clone(start), slices.Clone(start)
				tb.gemmRows(rows, panels, k, a, lda, rowsOfB, ldb, got, ldc, load)
				gemmExact(rows, panels, k, a, lda, packed, k*panelWidth, want, ldc, load)
				equal(t, what+" over rows of B", got, want)
			}
		}
	}
}

// The elementary functions over a sweep of bit patterns: the AVX-512 listing against the portable code.
func TestListingsSweep(t *testing.T) {
	const n = 4096
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(uint32(i) * 1048573)
	}
	for _, tb := range newSim(t).tables() {
		want := outputs(tables[0], x, x, x, 0, 1, 1)
		for name, got := range outputs(tb, x, x, x, 0, 1, 1) {
			equal(t, string(tb.level)+" "+name, got, want[name])
		}
	}
}

// Every exported function on the AVX-512 listing, which the simulator runs where the processor cannot.
func TestEveryFunctionOnTheListing(t *testing.T) {
	s := newSim(t)
	tb := s.tables()[1]
	for name, call := range differential {
		for seed := range uint64(len(variants)) {
			run := func(tb *table) [][]float32 {
				defer current.Store(current.Swap(tb))
				return call(newTrial(seed, variants[seed], 1))
			}
			want := run(tables[0])
			for i, got := range run(tb) {
				equal(t, fmt.Sprintf("%s, seed %d, result %d", name, seed, i), got, want[i])
			}
		}
	}
	if _, ok := s.called.Load("gemm_avx512_6x4"); !ok {
		t.Error("the calls went elsewhere")
	}
}

func TestAssemblyIsWhatTheGeneratorWrites(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "./gen", "-dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("the generator wrote nothing", err)
	}
	for _, f := range files {
		got, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if have, _ := os.ReadFile(filepath.Base(f)); string(have) != string(got) {
			t.Errorf("%s differs from what the generator writes; run go generate", filepath.Base(f))
		}
	}
}
