// Package weights reads published checkpoints: safetensors files, single or sharded, and the digests of their
// files. A checkpoint is hostile input: every size is checked against the file before anything is allocated.
package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

var (
	// ErrFormat: the file contradicts itself or the format.
	ErrFormat = errors.New("weights: malformed checkpoint")
	// ErrUnsupported: a known format or type that is not read.
	ErrUnsupported = errors.New("weights: not supported")
)

// Tensor is one stored tensor. Its values are read from the file on demand.
type Tensor struct {
	Name  string
	DType string // F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL
	Shape []int
	src   source
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

// File is a set of tensors from one safetensors file or from all shards of an index.
type File struct {
	tensors map[string]*Tensor
	sources []source
}

// Open opens one safetensors file of fsys. A file on disk is memory-mapped.
func Open(fsys fs.FS, name string) (*File, error) {
	f := &File{tensors: map[string]*Tensor{}}
	if err := f.add(fsys, name); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// add reads one file's header and enters its tensors.
func (f *File) add(fsys fs.FS, name string) error {
	src, err := openSource(fsys, name)
	if err != nil {
		return fmt.Errorf("weights: opening %s: %w", name, err)
	}
	f.sources = append(f.sources, src)
	tensors, err := readHeader(src)
	if err != nil {
		return fmt.Errorf("weights: reading %s: %w", name, err)
	}
	for _, t := range tensors {
		if f.tensors[t.Name] != nil {
			return fmt.Errorf("%w: %s: tensor %q is in two files", ErrFormat, name, t.Name)
		}
		f.tensors[t.Name] = t
	}
	return nil
}

// Names lists the stored tensors, sorted.
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

// Close releases the files. Values read before stay valid.
func (f *File) Close() error {
	var first error
	for _, s := range f.sources {
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
	}
	f.sources = nil
	return first
}
