package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"vitrine/inference/kernel"
	"vitrine/inference/weights"
)

// coded says how the blocks of a type become runs of a kernel.Code, whose values are those of widen bit for bit: scale · code is exact in float32 wherever
// something is added to it, so that the sum of the two is rounded once either way. unpack takes as many blocks as raw holds.
type coded struct {
	code   kernel.Code
	unpack func(dst kernel.Coded, raw []byte)
}

var codes = map[string]coded{
	"Q4_0": {kernel.Q4_0, func(x kernel.Coded, raw []byte) {
		for i := range x.Scale {
			b := (*[18]byte)(raw[18*i:])
			x.Scale[i] = binary16(b[:])
			*(*[16]byte)(x.Codes[16*i:]) = [16]byte(b[2:])
		}
	}},
	"Q4_1": {kernel.Q4_1, func(x kernel.Coded, raw []byte) {
		for i := range x.Scale {
			b := (*[20]byte)(raw[20*i:])
			x.Scale[i], x.Low[i] = binary16(b[:]), binary16(b[2:])
			*(*[16]byte)(x.Codes[16*i:]) = [16]byte(b[4:])
		}
	}},
	"Q8_0": {kernel.Q8_0, func(x kernel.Coded, raw []byte) {
		for i := range x.Scale {
			b := (*[34]byte)(raw[34*i:])
			x.Scale[i] = binary16(b[:])
			*(*[32]byte)(x.Codes[32*i:]) = [32]byte(b[2:])
		}
	}},
	"Q4_K": {kernel.Q4K, eachBlock(kernel.Q4K, 144, unpackQ4K)},
	"Q5_K": {kernel.Q5K, eachBlock(kernel.Q5K, 176, unpackQ5K)},
	"Q6_K": {kernel.Q6K, eachBlock(kernel.Q6K, 210, unpackQ6K)},
}

// eachBlock calls unpack for blocks of eight runs.
func eachBlock(c kernel.Code, size int, unpack func(dst kernel.Coded, block []byte)) func(kernel.Coded, []byte) {
	return func(dst kernel.Coded, raw []byte) {
		for i := range len(raw) / size {
			unpack(dst.Part(c, 8*i, 8*i+8), raw[i*size:(i+1)*size])
		}
	}
}

func binary16(raw []byte) uint32 { return uint32(binary.LittleEndian.Uint16(raw)) }

// scalesK are the scales and lows of a block of Q4_K or Q5_K.
func scalesK(x kernel.Coded, raw []byte) {
	d, low := half(raw), half(raw[2:])
	for j := range 8 {
		s, m := scaleMin(raw[4:16], j)
		x.Scale[j], x.Low[j] = math.Float32bits(d*s), math.Float32bits(-(low * m))
	}
}

func unpackQ4K(x kernel.Coded, raw []byte) {
	scalesK(x, raw)
	for j := range 4 { // 32 bytes hold two runs, one in their low halves
		q, lower, upper := raw[16+32*j:48+32*j], x.Codes[32*j:], x.Codes[32*j+16:]
		for i := range 16 {
			lower[i], upper[i] = q[i]&15|q[i+16]<<4, q[i]>>4|q[i+16]&0xF0
		}
	}
}

func unpackQ5K(x kernel.Coded, raw []byte) {
	scalesK(x, raw)
	high, q := raw[16:48], raw[48:176]
	for j := range 8 {
		for i, c := range q[j/2*32:][:32] {
			x.Codes[32*j+i] = c>>(j%2*4)&15 | high[i]>>j&1<<4
		}
	}
}

func unpackQ6K(x kernel.Coded, raw []byte) {
	d := half(raw[208:])
	for i, s := range raw[192:208] {
		x.Scale[i] = math.Float32bits(d * float32(int8(s)))
	}
	for n := range 2 {
		low, high, out := raw[64*n:64*n+64], raw[128+32*n:160+32*n], x.Codes[128*n:128*n+128]
		for i := range 32 {
			out[i], out[32+i] = low[i]&15|high[i]&3<<4-32, low[i+32]&15|high[i]>>2&3<<4-32
			out[64+i], out[96+i] = low[i]>>4|high[i]>>4&3<<4-32, low[i+32]>>4|high[i]>>6<<4-32
		}
	}
}

// Code is the kernel's name of the storage, false for types that are read as values.
func (t *Tensor) Code() (kernel.Code, bool) {
	c, ok := codes[t.Type]
	return c.code, ok && len(t.Shape) == 2 && t.Shape[1]%t.form.block == 0
}

// ReadCoded fills dst with whole rows of a matrix from row first on. It is safe for concurrent use.
func (t *Tensor) ReadCoded(dst kernel.Coded, first int) error {
	c, ok := t.Code()
	if !ok {
		return fmt.Errorf("gguf: tensor %q of type %s is no coded matrix", t.Name, t.Type)
	}
	per := t.form.block / kernel.RunValues // runs of a block
	runs := len(dst.Codes) / c.Bytes()
	block := first * t.Shape[1] / t.form.block
	if first < 0 || runs%per != 0 || (block*per+runs)*kernel.RunValues > t.Elements() {
		return fmt.Errorf("gguf: tensor %q has %d rows, not %d runs from row %d on", t.Name, t.Shape[0], runs, first)
	}
	buffer, _ := rawPool.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	defer rawPool.Put(buffer)
	n := runs / per * t.form.bytes
	*buffer = slices.Grow((*buffer)[:0], n)[:n]
	raw := *buffer
	if err := t.src.Read(raw, t.off+int64(block)*int64(t.form.bytes)); err != nil {
		return err
	}
	codes[t.Type].unpack(dst, raw)
	return nil
}

// rawPool keeps blocks on their way.
var rawPool sync.Pool

// ReadCoded: see Tensor.
func (h *reordered) ReadCoded(dst kernel.Coded, first int) error {
	c, _ := h.Code()
	per := h.row / kernel.RunValues
	for i := range len(dst.Codes) / (per * c.Bytes()) {
		if err := h.Tensor.ReadCoded(dst.Part(c, i*per, (i+1)*per), h.at(first+i)); err != nil {
			return err
		}
	}
	return nil
}

// Code: what is turned lies in the other order.
func (x *transposed) Code() (kernel.Code, bool) { return 0, false }

// Code: what is changed has other values.
func (m minusOne) Code() (kernel.Code, bool) { return 0, false }

var _ weights.Coder = (*Tensor)(nil)
