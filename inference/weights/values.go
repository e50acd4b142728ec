package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"vitrine/inference/kernel"
)

// chunk is the number of bytes converted at a time; a multiple of every element size.
const chunk = 1 << 16

// Float32 returns the values: F32 as stored, F16 and BF16 widened (exact), F64 rounded to nearest.
func (t *Tensor) Float32() ([]float32, error) {
	out := make([]float32, t.Elements())
	return out, t.ReadFloat32(out)
}

// ReadFloat32 is Float32 into a slice of exactly Elements values.
func (t *Tensor) ReadFloat32(dst []float32) error {
	if len(dst) != t.Elements() {
		return fmt.Errorf("weights: tensor %q has %d values, not %d", t.Name, t.Elements(), len(dst))
	}
	return t.ReadFloat32At(dst, 0)
}

// ReadFloat32At fills dst with the values from number first on, row-major. It is safe for concurrent use.
func (t *Tensor) ReadFloat32At(dst []float32, first int) error {
	width, convert := typeSize[t.DType], widen[t.DType]
	if convert == nil {
		return fmt.Errorf("%w: tensor %q holds %s where floats are expected", ErrFormat, t.Name, t.DType)
	}
	if first < 0 || len(dst) > t.Elements()-first {
		return fmt.Errorf("weights: tensor %q has %d values, not %d from number %d on", t.Name, t.Elements(), len(dst), first)
	}
	if len(dst) == 0 {
		return nil
	}
	off := t.off + int64(first)*width
	if t.DType == "F32" && littleEndian {
		return t.src.Read(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 4*len(dst)), off)
	}
	buf := make([]byte, min(chunk, int64(len(dst))*width))
	for len(dst) > 0 {
		n := min(len(dst), len(buf)/int(width))
		part := buf[:n*int(width)]
		if err := t.src.Read(part, off); err != nil {
			return err
		}
		convert(dst[:n], part)
		dst, off = dst[n:], off+int64(len(part))
	}
	return nil
}

// Half is the format of a tensor of 16-bit floats in the file's own storage, false for any other.
func (t *Tensor) Half() (kernel.Half, bool) {
	if _, other := t.src.(*foreign); other || !littleEndian {
		return 0, false
	}
	switch t.DType {
	case "F16":
		return kernel.F16, true
	case "BF16":
		return kernel.BF16, true
	}
	return 0, false
}

// ReadHalf fills dst with the stored patterns of a tensor of 16-bit floats from value number first on. It is safe for concurrent use.
func (t *Tensor) ReadHalf(dst []uint16, first int) error {
	if _, ok := t.Half(); !ok || first < 0 || len(dst) > t.Elements()-first {
		return fmt.Errorf("weights: tensor %q of %d values of %s has not %d of 16 bits from number %d on", t.Name, t.Elements(), t.DType, len(dst), first)
	}
	if len(dst) == 0 {
		return nil
	}
	return t.src.Read(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 2*len(dst)), t.off+2*int64(first))
}

// Release tells the system that the tensor's part of the file will not be read again soon, so that it no longer counts as memory
// of this process. The tensor stays readable.
func (t *Tensor) Release() { t.src.Release(t.off, t.size) }

// littleEndian machines hold float32 values as the file does.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// widen converts little-endian values of each floating type.
var widen = map[string]func(dst []float32, raw []byte){
	"F32": func(dst []float32, raw []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	},
	"F16": func(dst []float32, raw []byte) {
		for i := range dst {
			dst[i] = halfToFloat(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	},
	"BF16": func(dst []float32, raw []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		}
	},
	"F64": func(dst []float32, raw []byte) {
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	},
}

// Float64 returns the values of a floating tensor, exactly.
func (t *Tensor) Float64() ([]float64, error) {
	out := make([]float64, t.Elements())
	if t.DType == "F64" {
		raw, err := t.raw()
		if err != nil {
			return nil, err
		}
		for i := range out {
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return out, nil
	}
	f, err := t.Float32()
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i] = float64(f[i])
	}
	return out, nil
}

// Int64 returns the values of an integer or boolean tensor.
func (t *Tensor) Int64() ([]int64, error) {
	raw, err := t.raw()
	if err != nil {
		return nil, err
	}
	out := make([]int64, t.Elements())
	for i := range out {
		switch t.DType {
		case "I64":
			out[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		case "I32":
			out[i] = int64(int32(binary.LittleEndian.Uint32(raw[4*i:])))
		case "I16":
			out[i] = int64(int16(binary.LittleEndian.Uint16(raw[2*i:])))
		case "I8":
			out[i] = int64(int8(raw[i]))
		case "U8", "BOOL":
			out[i] = int64(raw[i])
		default:
			return nil, fmt.Errorf("%w: tensor %q holds %s where integers are expected", ErrFormat, t.Name, t.DType)
		}
	}
	return out, nil
}

func (t *Tensor) raw() ([]byte, error) { return t.src.Bytes(t.off, t.size) }

// halfToFloat widens an IEEE binary16, exactly.
func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h) & 0x3ff
	switch exp {
	case 0:
		// A subnormal is frac · 2^-24, exact in float32.
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
