//go:build amd64 && !noasm

package kernel

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// sim executes the generated assembly as text, with exact bounds on every access. It stands in for processors that the machine at hand is not: the
// AVX-512 listing is checked wherever the tests run. Its own semantics are checked by running the AVX2 listing both ways.
type sim struct {
	t       testing.TB
	program map[string][]instruction
	data    map[string][]uint32
	called  sync.Map // names of functions that ran; several threads call
}

type instruction struct {
	op   string
	args []operand
	to   int // of a jump
}

type operand struct {
	kind        byte // 'i' immediate, 'g' general register, 'v' vector, 'k' mask, 'm' memory, 'f' frame, 's' symbol
	n           int64
	base, index int
	scale       int64
	sym         string
	lanes       int
}

// machine is the state of one call.
type machine struct {
	gpr     [16]int64
	vec     [32][16]uint32
	mask    [8]uint32
	cmp     int64
	regions []region
	frame   []byte
}

type region struct {
	base int64
	mem  []uint32
}

var general = strings.Fields("AX CX DX BX SP BP SI DI R8 R9 R10 R11 R12 R13 R14 R15")

func newSim(t testing.TB) *sim {
	s := &sim{t: t, program: map[string][]instruction{}, data: map[string][]uint32{}}
	for _, f := range []string{"avx2_amd64.s", "avx512_amd64.s"} {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s.parse(string(text))
	}
	return s
}

func (s *sim) parse(text string) {
	var name string
	var code []instruction
	labels, jumps := map[string]int{}, map[int]string{}
	end := func() {
		for at, l := range jumps {
			code[at].to = labels[l]
		}
		if name != "" {
			s.program[name] = code
		}
		code, labels, jumps = nil, map[string]int{}, map[int]string{}
	}
	for _, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "" || strings.HasPrefix(word, "//") || word[0] == '#' || word == "GLOBL":
		case word == "DATA":
			var sym string
			var at int
			var v uint64
			if _, err := fmt.Sscanf(strings.NewReplacer("<>+", " ", "(SB)/8, $", " ").Replace(rest), "%s %d %v", &sym, &at, &v); err != nil {
				s.t.Fatalf("sim: %s: %v", line, err)
			}
			s.data[sym] = append(s.data[sym], uint32(v), uint32(v>>32))
		case word == "TEXT":
			end()
			name = rest[len("·"):strings.Index(rest, "(")]
		case strings.HasSuffix(word, ":"):
			labels[word[:len(word)-1]] = len(code)
		case word[0] == 'J':
			jumps[len(code)] = rest
			code = append(code, instruction{op: word})
		default:
			in := instruction{op: word}
			for _, a := range strings.Split(rest, ", ") {
				if a != "" {
					in.args = append(in.args, s.operand(a))
				}
			}
			code = append(code, in)
		}
	}
	end()
}

var memory = regexp.MustCompile(`^(-?\d*)\((\w+)\)(?:\((\w+)\*(\d)\))?$`)

func (s *sim) operand(a string) operand {
	reg := func(r string) int {
		for i, g := range general {
			if g == r {
				return i
			}
		}
		s.t.Fatalf("sim: register %q", r)
		return 0
	}
	num := func(x string) int64 { n, _ := strconv.ParseInt(x, 0, 64); return n }
	switch {
	case a[0] == '$':
		return operand{kind: 'i', n: num(a[1:])}
	case strings.HasSuffix(a, "(FP)"):
		return operand{kind: 'f', n: num(a[strings.Index(a, "+")+1 : len(a)-4])}
	case strings.HasSuffix(a, "(SB)"):
		sym, off, _ := strings.Cut(a[:len(a)-4], "<>")
		return operand{kind: 's', sym: sym, n: num(strings.TrimPrefix(off, "+"))}
	case strings.Contains(a, "("):
		m := memory.FindStringSubmatch(a)
		o := operand{kind: 'm', n: num(m[1]), base: reg(m[2]), index: -1}
		if m[3] != "" {
			o.index, o.scale = reg(m[3]), num(m[4])
		}
		return o
	case a[0] == 'Z' || a[0] == 'Y' || a[0] == 'X':
		return operand{kind: 'v', n: num(a[1:]), lanes: map[byte]int{'Z': 16, 'Y': 8, 'X': 4}[a[0]]}
	case a[0] == 'K':
		return operand{kind: 'k', n: num(a[1:])}
	}
	return operand{kind: 'g', n: int64(reg(a))}
}

// dataBase is where the read-only data of symbol number i would lie.
const dataBase = int64(1) << 50

func (s *sim) symbol(m *machine, sym string) int64 {
	words, ok := s.data[sym]
	if !ok {
		s.t.Fatalf("sim: no data %s", sym)
	}
	base := dataBase + int64(len(m.regions))<<20
	for _, r := range m.regions {
		if len(r.mem) > 0 && &r.mem[0] == &words[0] {
			return r.base
		}
	}
	m.regions = append(m.regions, region{base, words})
	return base
}

func (s *sim) address(m *machine, o operand) int64 {
	if o.kind == 's' {
		return s.symbol(m, o.sym) + o.n
	}
	at := m.gpr[o.base] + o.n
	if o.index >= 0 {
		at += m.gpr[o.index] * o.scale
	}
	return at
}

func (s *sim) word(m *machine, at int64) *uint32 {
	for _, r := range m.regions {
		if i := at - r.base; i >= 0 && i < 4*int64(len(r.mem)) {
			if i%4 != 0 {
				s.t.Fatal("sim: unaligned access")
			}
			return &r.mem[i/4]
		}
	}
	s.t.Fatalf("sim: access outside the operands at %#x", at)
	return nil
}

func (s *sim) short(m *machine, at int64) uint16 {
	return uint16(*s.word(m, at&^3) >> (at & 2 * 8))
}

// lane reads lane i of a vector or memory operand.
func (s *sim) lane(m *machine, o operand, i int) uint32 {
	if o.kind == 'v' {
		return m.vec[o.n][i]
	}
	return *s.word(m, s.address(m, o)+int64(4*i))
}

func (s *sim) integer(m *machine, o operand) int64 {
	switch o.kind {
	case 'i':
		return o.n
	case 'g':
		return m.gpr[o.n]
	case 'f':
		return *(*int64)(unsafe.Pointer(&m.frame[o.n]))
	}
	s.t.Fatalf("sim: integer operand %c", o.kind)
	return 0
}

func (s *sim) set(m *machine, o operand, v int64) {
	if o.kind == 'f' {
		*(*int64)(unsafe.Pointer(&m.frame[o.n])) = v
	} else {
		m.gpr[o.n] = v
	}
}

// call runs one function. regions are its operands; the frame holds their bases and the other arguments.
func (s *sim) call(name string, m *machine) {
	code, ok := s.program[name]
	if !ok {
		s.t.Fatalf("sim: no function %s", name)
	}
	s.called.Store(name, true)
	for pc := 0; ; pc++ {
		in := code[pc]
		taken := false
		switch in.op {
		case "RET":
			return
		case "JMP":
			taken = true
		case "JEQ":
			taken = m.cmp == 0
		case "JNE":
			taken = m.cmp != 0
		case "JLT":
			taken = m.cmp < 0
		case "JGE":
			taken = m.cmp >= 0
		default:
			if in.op[0] == 'V' {
				s.vector(m, in)
			} else {
				s.scalar(m, in)
			}
		}
		if taken {
			pc = in.to - 1
		}
	}
}

func (s *sim) scalar(m *machine, in instruction) {
	a := in.args
	last := a[len(a)-1]
	switch in.op {
	case "PREFETCHT0": // may name any address
	case "MOVQ", "MOVL":
		m.gpr[last.n] = s.integer(m, a[0])
	case "ADDQ":
		s.set(m, last, s.integer(m, last)+s.integer(m, a[0]))
	case "SUBQ", "SUBL":
		m.cmp = s.integer(m, last) - s.integer(m, a[0])
		s.set(m, last, m.cmp)
	case "IMUL3Q":
		m.gpr[last.n] = s.integer(m, a[0]) * s.integer(m, a[1])
	case "SHLQ", "SHLL":
		m.gpr[last.n] <<= s.integer(m, a[0])
	case "LEAQ":
		m.gpr[last.n] = s.address(m, a[0])
	case "CMPQ":
		m.cmp = s.integer(m, a[0]) - s.integer(m, a[1])
	case "TESTQ":
		m.cmp = s.integer(m, a[0]) & s.integer(m, a[1])
	case "CMOVQGT":
		if m.cmp > 0 {
			m.gpr[last.n] = s.integer(m, a[0])
		}
	case "KMOVW":
		m.mask[last.n] = uint32(s.integer(m, a[0])) & 0xffff
	default:
		s.t.Fatalf("sim: instruction %s", in.op)
	}
}

// vector runs one vector instruction. Operands come last to first of the manuals' order: op b, a, destination.
func (s *sim) vector(m *machine, in instruction) {
	a := in.args
	if in.op == "VZEROUPPER" {
		return
	}
	last := a[len(a)-1]
	lanes := 0
	for _, o := range a {
		lanes = max(lanes, o.lanes)
	}
	if last.kind == 'v' {
		lanes = last.lanes
		if lanes < 16 { // a narrow result clears the rest of its register, once all operands are read
			defer func() { clear(m.vec[last.n][lanes:]) }()
		}
	}
	write := func(i int, v uint32) {
		if last.kind == 'v' {
			m.vec[last.n][i] = v
		} else {
			*s.word(m, s.address(m, last)+int64(4*i)) = v
		}
	}
	mask := uint32(0xffff)
	if n := len(a); n > 1 && a[n-2].kind == 'k' && in.op != "VBLENDMPS" {
		mask = m.mask[a[n-2].n]
	}
	zero := strings.HasSuffix(in.op, ".Z")
	var result [16]uint32
	for i := range lanes {
		if mask>>i&1 == 0 {
			continue // a masked lane is not even read
		}
		result[i] = s.compute(m, in, i)
	}
	switch {
	case in.op == "VCMPPS" && last.kind == 'k':
		m.mask[last.n] = 0
		for i := range lanes {
			m.mask[last.n] |= (result[i] & 1) << i
		}
		return
	case in.op == "VMASKMOVPS":
		for i := range lanes {
			on := m.vec[a[1].n][i]>>31 == 1
			switch {
			case last.kind == 'v' && !on:
				write(i, 0)
			case on:
				write(i, result[i])
			}
		}
		return
	}
	for i := range lanes {
		if mask>>i&1 == 1 {
			write(i, result[i])
		} else if zero {
			write(i, 0)
		}
	}
}

func (s *sim) compute(m *machine, in instruction, i int) uint32 {
	a := in.args
	bits := func(k int) uint32 { return s.lane(m, a[k], i) }
	f := func(k int) float32 { return math.Float32frombits(bits(k)) }
	d := len(a) - 1
	out := math.Float32bits
	switch strings.TrimSuffix(in.op, ".Z") {
	case "VMOVUPS", "VMOVAPS":
		return bits(0)
	case "VPMOVZXWD":
		return uint32(s.short(m, s.address(m, a[0])+int64(2*i)))
	case "VPMOVSXBD":
		at := s.address(m, a[0]) + int64(i)
		return uint32(int32(int8(s.short(m, at&^1) >> (at & 1 * 8))))
	case "VCVTPH2PS":
		var wide [1]float32
		widenF16Generic(wide[:], []uint16{s.short(m, s.address(m, a[0])+int64(2*i))})
		return out(wide[0])
	case "VEXTRACTF128":
		return s.lane(m, a[1], i+4*int(a[0].n))
	case "VEXTRACTF64X4":
		return s.lane(m, a[1], i+8*int(a[0].n))
	case "VINSERTF128":
		if i/4 == int(a[0].n) {
			return s.lane(m, a[1], i%4)
		}
		return bits(2)
	case "VUNPCKLPS":
		return s.lane(m, a[1-i%2], i/4*4+i%4/2)
	case "VUNPCKHPS":
		return s.lane(m, a[1-i%2], i/4*4+2+i%4/2)
	case "VUNPCKLPD":
		return s.lane(m, a[1-i%4/2], i/4*4+i%2)
	case "VUNPCKHPD":
		return s.lane(m, a[1-i%4/2], i/4*4+2+i%2)
	case "VPERMILPS":
		return s.lane(m, a[1], i/4*4+int(a[0].n>>(i%4*2)&3))
	case "VMASKMOVPS":
		if m.vec[a[1].n][i]>>31 == 0 {
			return 0
		}
		return bits(0)
	case "VBROADCASTSS":
		if a[0].kind == 'f' {
			return *(*uint32)(unsafe.Pointer(&m.frame[a[0].n]))
		}
		if a[0].kind == 'v' {
			return m.vec[a[0].n][0]
		}
		return *s.word(m, s.address(m, a[0]))
	case "VADDPS":
		return out(f(1) + f(0))
	case "VSUBPS":
		return out(f(1) - f(0))
	case "VMULPS":
		return out(f(1) * f(0))
	case "VDIVPS":
		return out(f(1) / f(0))
	case "VMAXPS":
		if f(1) > f(0) {
			return bits(1)
		}
		return bits(0)
	case "VMINPS":
		if f(1) < f(0) {
			return bits(1)
		}
		return bits(0)
	case "VFMADD231PS":
		return out(FMA(f(1), f(0), f(d)))
	case "VFMADD132PS":
		return out(FMA(f(d), f(0), f(1)))
	case "VFMADD213PS":
		return out(FMA(f(1), f(d), f(0)))
	case "VFMSUB213PS":
		return out(FMA(f(1), f(d), -f(0)))
	case "VFNMADD231PS":
		return out(FMA(-f(1), f(0), f(d)))
	case "VPAND", "VPANDD":
		return bits(0) & bits(1)
	case "VPOR", "VPORD":
		return bits(0) | bits(1)
	case "VPXOR", "VPXORD":
		return bits(0) ^ bits(1)
	case "VCVTDQ2PS":
		return out(float32(int32(bits(0))))
	case "VPADDD":
		return bits(1) + bits(0)
	case "VPSUBD":
		return bits(1) - bits(0)
	case "VPSRAD":
		return uint32(int32(bits(1)) >> a[0].n)
	case "VPSRLD":
		return bits(1) >> a[0].n
	case "VPSLLD":
		return bits(1) << a[0].n
	case "VCMPPS":
		yes := map[int64]bool{0: f(2) == f(1), 1: f(2) < f(1), 30: f(2) > f(1)}
		on, ok := yes[a[0].n]
		if !ok {
			s.t.Fatalf("sim: predicate %d", a[0].n)
		}
		if on {
			return 0xffffffff
		}
		return 0
	case "VBLENDMPS": // b, a, mask, destination
		if m.mask[a[2].n]>>i&1 == 1 {
			return bits(0)
		}
		return bits(1)
	case "VBLENDVPS": // mask, b, a, destination
		if bits(0)>>31 == 1 {
			return bits(1)
		}
		return bits(2)
	}
	s.t.Fatalf("sim: instruction %s", in.op)
	return 0
}
