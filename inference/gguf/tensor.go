package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"vitrine/inference/weights"
)

// Tensor is one stored tensor. Its values are read from the file on demand.
type Tensor struct {
	Name  string
	Type  string // F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q4_K Q5_K Q6_K
	Shape []int  // row-major: the last dimension is the fastest
	form  form
	src   weights.Mapping
	off   int64
	size  int64
}

// Elements is the number of values.
func (t *Tensor) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Block is the storage of the tensor: each run of Values values takes Bytes bytes. Rows are whole blocks.
type Block struct{ Values, Bytes int }

// Block of the tensor's type.
func (t *Tensor) Block() Block { return Block{t.form.block, t.form.bytes} }

// ReadPacked fills dst with bytes as stored, from byte off of the tensor on.
func (t *Tensor) ReadPacked(dst []byte, off int64) error {
	if off < 0 || int64(len(dst)) > t.size-off {
		return fmt.Errorf("gguf: tensor %q has %d bytes, not %d from byte %d on", t.Name, t.size, len(dst), off)
	}
	return t.src.Read(dst, t.off+off)
}

// Release tells the system that the tensor's part of the file will not be read again soon. It stays readable.
func (t *Tensor) Release() { t.src.Release(t.off, t.size) }

// Float32 returns all values.
func (t *Tensor) Float32() ([]float32, error) {
	out := make([]float32, t.Elements())
	return out, t.ReadFloat32At(out, 0)
}

// chunk is the number of bytes dequantised at a time, about.
const chunk = 1 << 16

// ReadFloat32At fills dst with the values from number first on, row-major. It is safe for concurrent use.
func (t *Tensor) ReadFloat32At(dst []float32, first int) error {
	if first < 0 || len(dst) > t.Elements()-first {
		return fmt.Errorf("gguf: tensor %q has %d values, not %d from number %d on", t.Name, t.Elements(), len(dst), first)
	}
	block, size := t.form.block, t.form.bytes
	raw := make([]byte, max(1, min(chunk/size, (len(dst)+2*block-1)/block))*size)
	var edge []float32 // a block of which dst takes a part
	for len(dst) > 0 {
		skip := first % block
		blocks := min(len(raw)/size, len(dst)/block)
		if skip > 0 || blocks == 0 {
			blocks = 1
		}
		part := raw[:blocks*size]
		if err := t.src.Read(part, t.off+int64(first/block)*int64(size)); err != nil {
			return err
		}
		n := blocks * block
		if skip > 0 || n > len(dst) {
			if edge == nil {
				edge = make([]float32, block)
			}
			t.form.widen(edge, part)
			n = copy(dst, edge[skip:])
		} else {
			t.form.widen(dst[:n], part)
		}
		dst, first = dst[n:], first+n
	}
	return nil
}

// form is how a type stores values: widen turns whole blocks into float32.
type form struct {
	name         string
	block, bytes int
	widen        func(dst []float32, raw []byte)
}

// forms by their number in the file (ggml_type).
var forms = map[uint32]form{
	0:  {"F32", 1, 4, widenF32},
	1:  {"F16", 1, 2, widenF16},
	2:  {"Q4_0", 32, 18, widenQ4_0},
	3:  {"Q4_1", 32, 20, widenQ4_1},
	8:  {"Q8_0", 32, 34, widenQ8_0},
	12: {"Q4_K", 256, 144, widenQ4K},
	13: {"Q5_K", 256, 176, widenQ5K},
	14: {"Q6_K", 256, 210, widenQ6K},
	30: {"BF16", 1, 2, widenBF16},
}

// others names the types that are not read.
var others = map[uint32]string{6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS",
	19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
	34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4"}

func typeName(number uint32) string {
	if name, ok := others[number]; ok {
		return name
	}
	return fmt.Sprint("number ", number)
}

func formNames() string {
	var out []string
	for _, f := range forms {
		out = append(out, f.name)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func widenF32(dst []float32, raw []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
}

func widenF16(dst []float32, raw []byte) {
	for i := range dst {
		dst[i] = half(raw[2*i:])
	}
}

func widenBF16(dst []float32, raw []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
	}
}

// half reads an IEEE binary16, exactly.
func half(raw []byte) float32 {
	h := uint32(binary.LittleEndian.Uint16(raw))
	sign, exp, frac := h&0x8000<<16, h>>10&0x1F, h&0x3FF
	switch exp {
	case 0: // a subnormal is frac · 2^-24
		return math.Float32frombits(math.Float32bits(float32(frac)*(1.0/(1<<24))) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7F800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
