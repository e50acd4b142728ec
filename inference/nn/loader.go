// Package nn composes ops into the blocks that model families share, and reads their weights.
package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"vitrine/inference/kernel"
	"vitrine/inference/op"
	"vitrine/inference/weights"
)

// ErrCheckpoint: the weights do not fit the config; the message names the tensor and the expected shape.
var ErrCheckpoint = errors.New("checkpoint does not fit its config")

// Loader reads tensors by name and checks their shapes. The first misfit is kept in Err, so that families need not
// check every step; later calls return nil.
type Loader struct {
	file    *weights.File
	prefix  string
	renames []string // pairs of old and new endings, tried in order
	store   kernel.Store
	// borrowed is the buffer of tensors that are only passed through.
	borrowed []float32
	err      error
	halves   bool
}

// NewLoader reads from file. Of the optional prefixes ("bert." and the like) the first is taken under which probe
// exists; without any, names are used as they are.
func NewLoader(file *weights.File, probe string, prefixes ...string) *Loader {
	l := &Loader{file: file}
	for _, p := range prefixes {
		if _, ok := file.Tensor(p + probe); ok {
			l.prefix = p
			break
		}
	}
	return l
}

// Rename makes names ending in from also findable with the ending to.
func (l *Loader) Rename(from, to string) { l.renames = append(l.renames, from, to) }

// KeepHalves makes weights of 16-bit floats stay so: half the memory, and half the time of a network that reads them once a token.
func (l *Loader) KeepHalves() { l.halves = true }

// Err returns the first misfit.
func (l *Loader) Err() error { return l.err }

func (l *Loader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("nn: %w: %s", ErrCheckpoint, fmt.Sprintf(format, args...))
	}
}

func (l *Loader) find(name string) (*weights.Tensor, bool) {
	names := []string{name}
	for i := 0; i < len(l.renames); i += 2 {
		if strings.HasSuffix(name, l.renames[i]) {
			names = append(names, strings.TrimSuffix(name, l.renames[i])+l.renames[i+1])
		}
	}
	for _, n := range names {
		for _, p := range []string{l.prefix, ""} {
			if t, ok := l.file.Tensor(p + n); ok {
				return t, true
			}
		}
	}
	return nil, false
}

// Has reports whether a tensor is there, under the prefix or without it.
func (l *Loader) Has(name string) bool {
	_, ok := l.find(name)
	return ok
}

// Tensor reads a tensor of exactly this shape, widened to float32.
func (l *Loader) Tensor(name string, shape ...int) []float32 {
	t := l.fits(name, shape)
	if t == nil {
		return nil
	}
	v := l.store.Take(t.Elements())
	l.fill(t, v)
	return v
}

// fill reads a tensor on all threads.
func (l *Loader) fill(t *weights.Tensor, v []float32) {
	const unit = 1 << 16
	var found firstError
	kernel.Parallel(0, (len(v)+unit-1)/unit, func(u int) {
		found.keep(read(t, v[u*unit:min(len(v), (u+1)*unit)], u*unit))
	})
	t.Release()
	l.keep(found.err)
}

// fits finds a tensor and compares its shape; nil after any misfit.
func (l *Loader) fits(name string, shape []int) *weights.Tensor {
	t, ok := l.find(name)
	if !ok {
		l.fail("tensor %s%s is missing; its shape should be %v", l.prefix, name, shape)
	} else if !slices.Equal(t.Shape, shape) {
		l.fail("tensor %s has shape %v, expected %v", t.Name, t.Shape, shape)
	}
	if l.err != nil {
		return nil
	}
	return t
}

// read fills v from value number first on and refuses values that are not finite: one of them would make every answer
// meaningless. A sum of finite values overflows at worst, which the loop behind it tells apart.
func read(t *weights.Tensor, v []float32, first int) error {
	if err := t.ReadFloat32At(v, first); err != nil {
		return err
	}
	if s := kernel.Sum(v); s-s == 0 {
		return nil
	}
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("nn: %w: element %d of tensor %s is %v, no finite number; use a checkpoint from before that happened, or convert it anew", ErrCheckpoint, first+i, t.Name, x)
		}
	}
	return nil
}

// keep remembers the first misfit.
func (l *Loader) keep(err error) {
	if l.err == nil {
		l.err = err
	}
}

// firstError is one of the errors that several threads met.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) keep(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// Linear reads NAME.weight (out,in) and NAME.bias (out).
func (l *Loader) Linear(name string, in, out int) Linear {
	return Linear{Name: name, W: l.weight(name+".weight", in, out), Bias: l.Tensor(name+".bias", out)}
}

// weight packs a matrix as its rows come from the file; what is stored in few bits stays so.
func (l *Loader) weight(name string, in, out int) *op.Weight {
	t := l.fits(name, []int{out, in})
	if t == nil {
		return nil
	}
	var p *kernel.Panel
	var err error
	if c, code, ok := t.Coder(); ok {
		p, err = kernel.PackCoded(&l.store, code, in, out, func(lo int, dst kernel.Coded) error {
			if err := c.ReadCoded(dst, lo); err != nil {
				return err
			}
			return finite(t, code, dst)
		})
	} else if format, ok := t.Half(); ok && l.halves {
		p, err = kernel.PackHalfFrom(&l.store, format, in, out, func(lo int, dst []uint16) error {
			if err := t.ReadHalf(dst, lo*in); err != nil {
				return err
			}
			return finiteHalves(t, format, dst)
		})
	} else {
		p, err = kernel.PackFrom(&l.store, in, out, func(lo int, dst []float32) error { return read(t, dst, lo*in) })
	}
	t.Release()
	if l.keep(err); l.err != nil {
		return nil
	}
	return op.PackedWeight(p)
}

// finiteHalves refuses values that are not finite.
func finiteHalves(t *weights.Tensor, format kernel.Half, x []uint16) error {
	exponent := uint16(0x7C00)
	if format == kernel.BF16 {
		exponent = 0x7F80
	}
	for _, v := range x {
		if v&exponent == exponent {
			return fmt.Errorf("nn: %w: an element of tensor %s is no finite number; use a checkpoint from before that happened, or convert it anew", ErrCheckpoint, t.Name)
		}
	}
	return nil
}

// finite refuses coded rows with a scale or a low that is not finite.
func finite(t *weights.Tensor, code kernel.Code, x kernel.Coded) error {
	exponent := uint32(0x7C00)
	if code.Wide() {
		exponent = 0x7F800000
	}
	for _, list := range [][]uint32{x.Scale, x.Low} {
		for _, v := range list {
			if v&exponent == exponent {
				return fmt.Errorf("nn: %w: a scale of tensor %s is no finite number; use a checkpoint from before that happened, or convert it anew", ErrCheckpoint, t.Name)
			}
		}
	}
	return nil
}

// Norm reads NAME.weight and NAME.bias of a LayerNorm over n values.
func (l *Loader) Norm(name string, n int, eps float64) *op.LayerNorm {
	return &op.LayerNorm{Gamma: l.Tensor(name+".weight", n), Beta: l.Tensor(name+".bias", n), Eps: float32(eps)}
}
