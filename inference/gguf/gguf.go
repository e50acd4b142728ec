// Package gguf reads GGUF files, the format of llama.cpp: metadata, tensors and their dequantised values, which equal
// those of the gguf package's quants.dequantize bit for bit (version 0.19). Matrices of blocks reach the kernels as they
// are stored (code.go), with the same values.
//
// A file is hostile input: every count, length, offset and size is checked against the file before anything is
// allocated, and what it takes in memory is bounded by a small multiple of what it holds.
//
// Errors wrap weights.ErrFormat (the file contradicts itself or the format) or weights.ErrUnsupported (a known format
// or type that is not read).
package gguf

import (
	"fmt"
	"io/fs"
	"slices"

	"vitrine/inference/weights"
)

// File is an open GGUF file. It is safe for concurrent use until Close.
type File struct {
	src     weights.Mapping
	version uint32
	meta    map[string]any
	tensors map[string]*Tensor
}

// Open reads the header of a file of fsys and checks it whole. The tensors' values stay in the file, which is
// memory-mapped where it is one on disk.
func Open(fsys fs.FS, name string) (*File, error) {
	src, err := weights.Map(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("gguf: opening %s: %w", name, err)
	}
	f, err := read(src)
	if err != nil {
		src.Close()
		return nil, fmt.Errorf("gguf: reading %s: %w", name, err)
	}
	return f, nil
}

// Close releases the file. Values read before stay valid.
func (f *File) Close() error { return f.src.Close() }

// Version is that of the format, 2 or 3.
func (f *File) Version() int { return int(f.version) }

// Keys lists the metadata, sorted.
func (f *File) Keys() []string {
	out := make([]string, 0, len(f.meta))
	for k := range f.meta {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// String, Bool, Int and Float read one metadata value; false where it is absent or of another kind. Int reads every
// integer that fits, Float every number.
func (f *File) String(key string) (string, bool) { return value[string](f, key) }

// Bool: see String.
func (f *File) Bool(key string) (bool, bool) { return value[bool](f, key) }

// Int: see String.
func (f *File) Int(key string) (int64, bool) {
	switch v := f.meta[key].(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), int64(v) >= 0
	}
	return 0, false
}

// Float: see String.
func (f *File) Float(key string) (float64, bool) {
	switch v := f.meta[key].(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// Strings, Ints and Floats read a list; the caller does not change it.
func (f *File) Strings(key string) ([]string, bool) { return value[[]string](f, key) }

// Ints: see Strings. Lists of booleans read as 0 and 1.
func (f *File) Ints(key string) ([]int64, bool) { return value[[]int64](f, key) }

// Floats: see Strings.
func (f *File) Floats(key string) ([]float64, bool) { return value[[]float64](f, key) }

func value[T any](f *File, key string) (T, bool) {
	v, ok := f.meta[key].(T)
	return v, ok
}

// Names lists the tensors, sorted.
func (f *File) Names() []string {
	out := make([]string, 0, len(f.tensors))
	for n := range f.tensors {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}
