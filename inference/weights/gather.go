package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"vitrine/inference/kernel"
)

// Reader gives the values of a tensor that another format stores. ReadFloat32At fills dst with the values from number
// first on, row-major, and is safe for concurrent use; Release says that they will not be read again soon.
type Reader interface {
	ReadFloat32At(dst []float32, first int) error
	Release()
}

// Coder is a Reader of a matrix whose values are stored in few bits: where Code says so, ReadCoded fills dst with whole rows from row first on, and the
// values of the code are those of ReadFloat32At bit for bit.
type Coder interface {
	Code() (kernel.Code, bool)
	ReadCoded(dst kernel.Coded, first int) error
}

// Coder gives the tensor's storage in few bits, if it has one.
func (t *Tensor) Coder() (Coder, kernel.Code, bool) {
	f, ok := t.src.(*foreign)
	if !ok {
		return nil, 0, false
	}
	c, ok := f.values.(Coder)
	if !ok {
		return nil, 0, false
	}
	code, ok := c.Code()
	return c, code, ok
}

// Foreign is a tensor of another format.
type Foreign struct {
	Name   string
	Shape  []int
	Values Reader
}

// Gather makes a checkpoint of tensors of another format: they read as F32. Close of the result calls release.
func Gather(list []Foreign, release func() error) (*File, error) {
	f := &File{tensors: make(map[string]*Tensor, len(list)), sources: []source{&foreign{release: release}}}
	for _, x := range list {
		t := &Tensor{Name: x.Name, DType: "F32", Shape: x.Shape}
		if f.tensors[x.Name] != nil || x.Name == "" || x.Values == nil {
			return nil, fmt.Errorf("%w: tensor %.80q is nameless, empty or given twice", ErrFormat, x.Name)
		}
		t.size = 4 * int64(t.Elements())
		t.src = &foreign{values: x.Values, size: t.size}
		f.tensors[x.Name] = t
	}
	return f, nil
}

// foreign is a source of the little-endian float32 bytes that a Reader's values have.
type foreign struct {
	values  Reader
	size    int64
	release func() error
}

func (f *foreign) Size() int64 { return f.size }

func (f *foreign) Read(p []byte, off int64) error {
	if off < 0 || off%4 != 0 || len(p)%4 != 0 || int64(len(p)) > f.size-off {
		return fmt.Errorf("%w: bytes %d to %d of a tensor of %d", ErrFormat, off, off+int64(len(p)), f.size)
	}
	if len(p) == 0 {
		return nil
	}
	if at := unsafe.Pointer(unsafe.SliceData(p)); littleEndian && uintptr(at)%4 == 0 {
		return f.values.ReadFloat32At(unsafe.Slice((*float32)(at), len(p)/4), int(off/4))
	}
	values := make([]float32, len(p)/4)
	err := f.values.ReadFloat32At(values, int(off/4))
	for i, v := range values {
		binary.LittleEndian.PutUint32(p[4*i:], math.Float32bits(v))
	}
	return err
}

func (f *foreign) Bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || n > f.size-off {
		return nil, fmt.Errorf("%w: bytes %d to %d of a tensor of %d", ErrFormat, off, off+n, f.size)
	}
	p := make([]byte, n)
	return p, f.Read(p, off)
}

func (f *foreign) Release(int64, int64) {
	if f.values != nil {
		f.values.Release()
	}
}

func (f *foreign) Close() error {
	if f.release == nil {
		return nil
	}
	return f.release()
}
