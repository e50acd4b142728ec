package weights

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
)

// source is random access to one checkpoint file.
type source interface {
	Size() int64
	Read(p []byte, off int64) error
	// Bytes returns n bytes at off: a window of the mapping, or a copy.
	Bytes(off, n int64) ([]byte, error)
	// Release gives back the memory that reading n bytes at off took.
	Release(off, n int64)
	Close() error
}

// openSource maps a file on disk; any other file is read through io.ReaderAt, or as a whole as a last resort.
func openSource(fsys fs.FS, name string) (source, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		if err == nil {
			err = fmt.Errorf("%w: not a regular file", ErrFormat)
		}
		return nil, err
	}
	if file, ok := f.(*os.File); ok && info.Size() > 0 {
		data, unmap, err := mapFile(file, info.Size())
		if err == nil {
			file.Close() // the mapping stays
			return &mapped{data: data, file: true, unmap: unmap}, nil
		}
		return &reader{f: file, c: file, size: info.Size()}, nil
	}
	if r, ok := f.(io.ReaderAt); ok {
		return &reader{f: r, c: f, size: info.Size()}, nil
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return &mapped{data: data, unmap: func() error { return nil }}, nil
}

// reader reads through io.ReaderAt.
type reader struct {
	f    io.ReaderAt
	c    io.Closer
	size int64
}

func (r *reader) Size() int64 { return r.size }

func (r *reader) Read(p []byte, off int64) error {
	n, err := r.f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return fmt.Errorf("%w: file ends early: %v", ErrFormat, err)
}

func (r *reader) Bytes(off, n int64) ([]byte, error) {
	p := make([]byte, n)
	return p, r.Read(p, off)
}

func (r *reader) Release(int64, int64) {}

func (r *reader) Close() error { return r.c.Close() }

// mapped is a file in memory. A mapped file that is cut short while in use faults; Read and View turn that into an error.
type mapped struct {
	data  []byte
	file  bool // a mapping, not a copy
	unmap func() error
}

func (m *mapped) Size() int64 { return int64(len(m.data)) }

func (m *mapped) Read(p []byte, off int64) (err error) {
	return m.View(off, int64(len(p)), func(part []byte) { copy(p, part) })
}

// View calls f with n bytes at off, which it must not keep.
func (m *mapped) View(off, n int64, f func([]byte)) (err error) {
	if m.data == nil || off < 0 || off > m.Size()-n {
		return fmt.Errorf("%w: read outside the file (or after Close)", ErrFormat)
	}
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: the file changed while it was read", ErrFormat)
		}
	}()
	f(m.data[off : off+n])
	return nil
}

func (m *mapped) Bytes(off, n int64) ([]byte, error) {
	p := make([]byte, n)
	return p, m.Read(p, off)
}

func (m *mapped) Release(off, n int64) {
	page := int64(os.Getpagesize())
	begin, end := (off+page-1)/page*page, (off+n)/page*page
	if m.file && begin < end && end <= m.Size() {
		dropPages(m.data[begin:end])
	}
}

func (m *mapped) Close() error {
	if m.data == nil {
		return nil
	}
	m.data = nil
	return m.unmap()
}
