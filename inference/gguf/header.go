package gguf

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"vitrine/inference/weights"
)

// Limits of a header, far above any published one.
const (
	maxKeys      = 1 << 16
	maxTensors   = 1 << 16
	maxName      = 1 << 10
	maxString    = 16 << 20
	maxList      = 8 << 20
	maxDims      = 4
	maxAlignment = 1 << 20
	keyAlignment = "general.alignment"
)

// The kinds of metadata values.
const (
	kindUint8 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindList
	kindUint64
	kindInt64
	kindFloat64
)

// kindSize is the least number of bytes that a value takes.
var kindSize = map[uint32]int64{kindUint8: 1, kindInt8: 1, kindUint16: 2, kindInt16: 2, kindUint32: 4, kindInt32: 4, kindFloat32: 4,
	kindBool: 1, kindString: 8, kindUint64: 8, kindInt64: 8, kindFloat64: 8}

// cursor reads the header from front to back. The first error sticks.
type cursor struct {
	src  weights.Mapping
	off  int64  // of buf in the file
	buf  []byte // read ahead
	at   int    // in buf
	err  error
	what string // what is being read, for messages
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s: %s", weights.ErrFormat, c.what, fmt.Sprintf(format, args...))
	}
}

func (c *cursor) place() int64 { return c.off + int64(c.at) }

func (c *cursor) left() int64 { return c.src.Size() - c.place() }

const readAhead = 1 << 16

// take returns the next n bytes, valid until the next call.
func (c *cursor) take(n int64) []byte {
	if c.err != nil || n > c.left() {
		c.fail("it claims %d bytes, the file has %d left", n, max(c.left(), 0))
		return nil
	}
	if int64(len(c.buf)-c.at) < n {
		from := c.place()
		c.buf, c.off, c.at = make([]byte, min(max(n, readAhead), c.left())), from, 0
		if err := c.src.Read(c.buf, from); err != nil {
			c.err, c.buf = err, nil
			return nil
		}
	}
	out := c.buf[c.at : c.at+int(n)]
	c.at += int(n)
	return out
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) text(limit int64) string {
	n := c.uint64()
	if n > uint64(limit) {
		c.fail("a text of %d bytes (at most %d are allowed)", n, limit)
		return ""
	}
	return string(c.take(int64(n)))
}

// scalar reads a number, a boolean or a text.
func (c *cursor) scalar(kind uint32) any {
	if kind == kindString {
		return c.text(maxString)
	}
	size, ok := kindSize[kind]
	if !ok {
		c.fail("value kind %d is unknown", kind)
		return nil
	}
	var b [8]byte
	copy(b[:], c.take(size))
	u := binary.LittleEndian.Uint64(b[:])
	switch kind {
	case kindInt8:
		return int64(int8(u))
	case kindInt16:
		return int64(int16(u))
	case kindInt32:
		return int64(int32(u))
	case kindInt64:
		return int64(u)
	case kindFloat32:
		return float64(math.Float32frombits(uint32(u)))
	case kindFloat64:
		return math.Float64frombits(u)
	case kindBool:
		if u > 1 {
			c.fail("a boolean of %d", u)
		}
		return u == 1
	}
	return u
}

// list reads a list of scalars.
func (c *cursor) list() any {
	kind, n := c.uint32(), c.uint64()
	size, ok := kindSize[kind]
	if !ok {
		c.fail("a list of kind %d is not read", kind)
		return nil
	}
	if n > maxList || int64(n) > c.left()/size {
		c.fail("a list claims %d values, the file has %d bytes left (at most %d values are allowed)", n, c.left(), maxList)
		return nil
	}
	switch kind {
	case kindString:
		return fill(c, n, func() string { return c.text(maxString) })
	case kindFloat32, kindFloat64:
		return fill(c, n, func() float64 { v, _ := c.scalar(kind).(float64); return v })
	}
	return fill(c, n, func() int64 {
		switch v := c.scalar(kind).(type) {
		case int64:
			return v
		case uint64:
			return int64(v)
		case bool:
			if v {
				return 1
			}
		}
		return 0
	})
}

func fill[T any](c *cursor, n uint64, one func() T) []T {
	out := make([]T, 0, n)
	for uint64(len(out)) < n && c.err == nil {
		out = append(out, one())
	}
	return out
}

// read parses and checks the header.
func read(src weights.Mapping) (*File, error) {
	c := &cursor{src: src, what: "the header"}
	if magic := c.take(4); string(magic) != "GGUF" {
		c.fail("it does not begin with GGUF")
	}
	f := &File{src: src, version: c.uint32(), meta: map[string]any{}, tensors: map[string]*Tensor{}}
	if c.err == nil && f.version != 2 && f.version != 3 {
		return nil, fmt.Errorf("%w: version %d of the format; versions 2 and 3 are read, convert the file again", weights.ErrUnsupported, f.version)
	}
	tensors, keys := c.uint64(), c.uint64()
	if keys > maxKeys || tensors > maxTensors {
		c.fail("it claims %d metadata keys and %d tensors (at most %d and %d are allowed)", keys, tensors, maxKeys, maxTensors)
	}
	for i := uint64(0); i < keys && c.err == nil; i++ {
		f.readKey(c, i)
	}
	var order []*Tensor
	for i := uint64(0); i < tensors && c.err == nil; i++ {
		order = append(order, f.readTensor(c, i))
	}
	if c.err != nil {
		return nil, c.err
	}
	return f, f.layOut(order, c.place())
}

func (f *File) readKey(c *cursor, i uint64) {
	c.what = fmt.Sprintf("metadata key %d", i+1)
	key := c.text(maxName)
	if c.err != nil {
		return
	}
	c.what = fmt.Sprintf("metadata %.80q", key)
	if _, twice := f.meta[key]; twice || key == "" || !utf8.ValidString(key) {
		c.fail("the key is empty, not UTF-8 or given twice")
	}
	if kind := c.uint32(); kind == kindList {
		f.meta[key] = c.list()
	} else {
		f.meta[key] = c.scalar(kind)
	}
}

func (f *File) readTensor(c *cursor, i uint64) *Tensor {
	c.what = fmt.Sprintf("tensor %d", i+1)
	t := &Tensor{Name: c.text(maxName), src: f.src}
	if c.err != nil {
		return nil
	}
	c.what = fmt.Sprintf("tensor %.80q", t.Name)
	if f.tensors[t.Name] != nil || t.Name == "" || !utf8.ValidString(t.Name) {
		c.fail("the name is empty, not UTF-8 or given twice")
	}
	dims := c.uint32()
	if dims > maxDims {
		c.fail("%d dimensions (at most %d are allowed)", dims, maxDims)
		return nil
	}
	elements := int64(1)
	for range dims {
		d := c.uint64()
		if d == 0 || d > math.MaxInt32 || elements > math.MaxInt64/16/int64(d) {
			c.fail("a dimension of %d", d)
			return nil
		}
		elements *= int64(d)
		t.Shape = append(t.Shape, int(d))
	}
	row := 1
	if dims > 0 {
		row = t.Shape[0]
	}
	slices.Reverse(t.Shape) // the file gives the fastest dimension first
	number := c.uint32()
	t.off = int64(c.uint64() & math.MaxInt64)
	if c.err != nil {
		return nil
	}
	form, ok := forms[number]
	if !ok {
		c.err = fmt.Errorf("%w: tensor %.80q is stored as type %s; this build reads %s", weights.ErrUnsupported, t.Name, typeName(number), formNames())
		return nil
	}
	t.form, t.Type = form, form.name
	if row%form.block != 0 {
		c.fail("rows of %d values do not divide into blocks of %d", row, form.block)
	}
	t.size = elements / int64(form.block) * int64(form.bytes)
	f.tensors[t.Name] = t
	return t
}

// layOut turns offsets into places in the file and refuses tensors that reach outside it or into one another.
func (f *File) layOut(order []*Tensor, end int64) error {
	alignment := int64(32)
	if _, given := f.meta[keyAlignment]; given {
		a, ok := f.Int(keyAlignment)
		if !ok || a < 1 || a > maxAlignment || a&(a-1) != 0 {
			return fmt.Errorf("%w: %s is not a power of two up to %d", weights.ErrFormat, keyAlignment, maxAlignment)
		}
		alignment = a
	}
	data := (end + alignment - 1) / alignment * alignment
	room := f.src.Size() - data
	for _, t := range order {
		if t.off%alignment != 0 || t.off > room || t.size > room-t.off {
			return fmt.Errorf("%w: tensor %.80q claims bytes %d to %d of %d (in steps of %d)", weights.ErrFormat, t.Name, t.off, t.off+t.size, max(room, 0), alignment)
		}
		t.off += data
	}
	slices.SortFunc(order, func(a, b *Tensor) int { return cmp.Compare(a.off, b.off) })
	for i := 1; i < len(order); i++ {
		if a, b := order[i-1], order[i]; a.off+a.size > b.off {
			return fmt.Errorf("%w: tensors %.80q and %.80q overlap", weights.ErrFormat, a.Name, b.Name)
		}
	}
	return nil
}
