package kernel

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"unsafe"
)

// Code is a storage of weights in 4 or 8 bits: along K, runs of 32 values share a scale and, in some, a value that is added. Products widen a block at a
// time inside the caches and have the bits of the widened matrix.
type Code uint8

// The codes. The names are those of ggml's formats that they hold without loss; the value of a code q is
//   - Q4_1, Q4K (0 ≤ q < 16) and Q5K (0 ≤ q < 32): FMA(q, scale, low),
//   - Q4_0 (0 ≤ q < 16): (q-8) · scale,
//   - Q8_0 (-128 ≤ q < 128) and Q6K (-32 ≤ q < 32): q · scale.
//
// Scales and lows are binary16 where the format's are, float32 elsewhere. Q6K has two scales for a run, one for each half.
const (
	Q4_0 Code = iota + 1
	Q4_1
	Q8_0
	Q4K
	Q5K
	Q6K
	codes
)

// RunValues is the number of values of a column that lie together.
const RunValues = 32

// Bytes is the size of the codes of a run. With 4 bits, byte i holds the codes of values i (low half) and i+16; with 8, of value i, signed.
func (c Code) Bytes() int {
	if c.nibbles() {
		return RunValues / 2
	}
	return RunValues
}

// Scales is the number of scales of a run.
func (c Code) Scales() int {
	if c == Q6K {
		return 2
	}
	return 1
}

// Low reports that a run has a value that is added.
func (c Code) Low() bool { return c == Q4_1 || c == Q4K || c == Q5K }

// Wide reports that scales and lows are float32.
func (c Code) Wide() bool { return c >= Q4K }

func (c Code) nibbles() bool { return c == Q4_0 || c == Q4_1 || c == Q4K }

// row is the words that one scale of each of 16 columns takes.
func (c Code) row() int {
	if c.Wide() {
		return panelWidth
	}
	return panelWidth / 2
}

// head is the words of scales and lows of a run of 16 columns, words that of the whole run: head, then codes. With 4 bits, word j of a column holds bytes
// 4j to 4j+3; with 8, values lie row by row.
func (c Code) head() int {
	n := c.Scales()
	if c.Low() {
		n++
	}
	return n * c.row()
}

func (c Code) words() int { return c.head() + panelWidth*c.Bytes()/4 }

// Coded is some rows of a coded matrix: for each row, run by run, Bytes of Codes, Scales of Scale and, where the code has it, one of Low. Scale and Low are
// patterns of binary16 or of float32.
type Coded struct {
	Codes      []byte
	Scale, Low []uint32
}

// Part is the runs lo to hi.
func (x Coded) Part(c Code, lo, hi int) Coded {
	x.Codes, x.Scale = x.Codes[lo*c.Bytes():hi*c.Bytes()], x.Scale[lo*c.Scales():hi*c.Scales()]
	if c.Low() {
		x.Low = x.Low[lo:hi]
	}
	return x
}

// PackCoded packs a coded matrix (n,k), the weight of a linear layer, as PackFrom does: read fills dst with whole rows, the first of them row lo. k must be a
// multiple of RunValues.
func PackCoded(s *Store, c Code, k, n int, read func(lo int, dst Coded) error) (*Panel, error) {
	if c == 0 || c >= codes || k%RunValues != 0 {
		panic("kernel: PackCoded: unknown code or rows of broken runs")
	}
	runs := k / RunValues
	p := &Panel{K: k, N: n, code: c, coded: s.words(panelsOf(n) * runs * c.words())}
	var mu sync.Mutex
	var failed error
	const group = 4 * panelWidth // columns of a unit
	Parallel(0, (n+group-1)/group, func(u int) {
		lo, hi := span(n, group, u)
		rows, _ := codedPool.Get().(*Coded)
		if rows == nil {
			rows = &Coded{}
		}
		defer codedPool.Put(rows)
		rows.resize(c, (hi-lo)*runs)
		if err := read(lo, *rows); err != nil {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
			return
		}
		for j0 := lo; j0 < hi; j0 += panelWidth {
			c.pack(p.coded[j0*runs*c.words()/panelWidth:], rows.Part(c, (j0-lo)*runs, (min(hi, j0+panelWidth)-lo)*runs), runs)
		}
	})
	return p, failed
}

// codedPool keeps rows on their way, so that loading leaves no garbage behind.
var codedPool sync.Pool

// resize makes room for a number of runs.
func (x *Coded) resize(c Code, runs int) {
	x.Codes = slices.Grow(x.Codes[:0], runs*c.Bytes())[:runs*c.Bytes()]
	x.Scale = slices.Grow(x.Scale[:0], runs*c.Scales())[:runs*c.Scales()]
	if x.Low = x.Low[:0]; c.Low() {
		x.Low = slices.Grow(x.Low, runs)[:runs]
	}
}

// words returns n zeros.
func (s *Store) words(n int) []uint32 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(s.Take(n)))), n)
}

// pack fills a panel, of zeros before, with the columns that x holds one after another, at most 16 of runs each.
func (c Code) pack(panel []uint32, x Coded, runs int) {
	words, head := c.words(), c.head()
	for column := range len(x.Codes) / (runs * c.Bytes()) {
		for r := range runs {
			run, at := panel[r*words:(r+1)*words], column*runs+r
			for i := range c.Scales() {
				c.setScale(run, i, column, x.Scale[at*c.Scales()+i])
			}
			if c.Low() {
				c.setScale(run, 1, column, x.Low[at])
			}
			run = run[head:]
			if c.nibbles() {
				q := x.Codes[at*(RunValues/2):][:RunValues/2]
				run[column], run[panelWidth+column] = binary.LittleEndian.Uint32(q), binary.LittleEndian.Uint32(q[4:])
				run[2*panelWidth+column], run[3*panelWidth+column] = binary.LittleEndian.Uint32(q[8:]), binary.LittleEndian.Uint32(q[12:])
				continue
			}
			word, shift := column/4, column%4*8
			run = run[:RunValues*panelWidth/4]
			for i, q := range x.Codes[at*RunValues:][:RunValues] {
				run[i*(panelWidth/4)+word] |= uint32(q) << shift
			}
		}
	}
}

// setScale sets number i of the scales and lows of a column.
func (c Code) setScale(run []uint32, i, column int, v uint32) {
	if c.Wide() {
		run[i*panelWidth+column] = v
	} else {
		run[i*panelWidth/2+column/2] |= v & 0xffff << (column % 2 * 16)
	}
}

// scale is number i of the scales and lows of a column.
func (c Code) scale(run []uint32, i, column int) float32 {
	if c.Wide() {
		return math.Float32frombits(run[i*panelWidth+column])
	}
	return F16.value(uint16(run[i*panelWidth/2+column/2] >> (column % 2 * 16)))
}

// value is value i of a column of a run.
func (c Code) value(run []uint32, i, column int) float32 {
	var q int32
	codes := run[c.head():]
	switch {
	case c.nibbles():
		q = int32(codes[i%16/4*panelWidth+column] >> (i%4*8 + i/16*4) & 15)
	default:
		q = int32(int8(codes[i*panelWidth/4+column/4] >> (column % 4 * 8)))
	}
	switch {
	case c.Low():
		return FMA(float32(q), c.scale(run, 0, column), c.scale(run, 1, column))
	case c == Q4_0:
		return float32(q-8) * c.scale(run, 0, column)
	}
	return float32(q) * c.scale(run, i/16%c.Scales(), column)
}

// widenGeneric sets dst to the values of whole runs of 16 columns.
func (c Code) widenGeneric(dst []float32, runs []uint32) {
	for ; len(runs) > 0; runs, dst = runs[c.words():], dst[RunValues*panelWidth:] {
		for i := range RunValues {
			for column := range panelWidth {
				dst[i*panelWidth+column] = c.value(runs, i, column)
			}
		}
	}
}
