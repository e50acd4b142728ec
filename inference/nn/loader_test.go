package nn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"vitrine/inference/kernel"
	"vitrine/inference/op"
	"vitrine/inference/weights"
)

// stored is a matrix of Q4_1 whose every scale is the given one.
type stored struct{ scale uint32 }

func (s stored) ReadFloat32At(dst []float32, _ int) error { return errors.New("read as values") }
func (s stored) Release()                                 {}
func (s stored) Code() (kernel.Code, bool)                { return kernel.Q4_1, true }
func (s stored) ReadCoded(dst kernel.Coded, _ int) error {
	for i := range dst.Scale {
		dst.Scale[i], dst.Low[i] = s.scale, 0x3800
	}
	return nil
}

// A matrix that is stored in few bits stays so; a scale that is no finite number is refused with the tensor's name.
func TestCodedWeights(t *testing.T) {
	for scale, wrong := range map[uint32]bool{0x3C00: false, 0x7BFF: false, 0x7C00: true, 0xFE01: true} {
		f, err := weights.Gather([]weights.Foreign{{Name: "a.weight", Shape: []int{5, 64}, Values: stored{scale}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l := NewLoader(f, "")
		w := l.Project("a", 64, 5, false)
		switch {
		case wrong:
			if err := l.Err(); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), "a.weight") {
				t.Errorf("scale %04x: %v", scale, err)
			}
		case l.Err() != nil || w.W.In != 64 || w.W.Out != 5:
			t.Errorf("scale %04x: %v", scale, l.Err())
		}
	}
}

// Weights of 16 bits that stay so have the values that they widen to; one that is not finite is refused either way.
func TestHalves(t *testing.T) {
	const rows, columns = 21, 40
	for dtype, bad := range map[string]uint16{"F16": 0x7E00, "BF16": 0xFF80} {
		patterns := make([]uint16, rows*columns)
		for i := range patterns {
			patterns[i] = uint16(i*73) & 0x3BFF
		}
		load := func(keep bool) ([]float32, error) {
			header := fmt.Sprintf(`{"a.weight":{"dtype":%q,"shape":[%d,%d],"data_offsets":[0,%d]}}`, dtype, rows, columns, 2*len(patterns))
			raw := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
			for _, v := range patterns {
				raw = binary.LittleEndian.AppendUint16(raw, v)
			}
			f, err := weights.Open(fstest.MapFS{"m": {Data: raw}}, "m")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			l := NewLoader(f, "")
			if keep {
				l.KeepHalves()
			}
			w := l.Project("a", columns, rows, false)
			if l.Err() != nil {
				return nil, l.Err()
			}
			return (&op.Table{Rows: rows, D: columns, Tied: w.W}).Values(), nil
		}
		want, err := load(false)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := load(true); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: kept in 16 bits, other values (%v)", dtype, err)
		}
		patterns[rows*columns-1] = bad
		for _, keep := range []bool{false, true} {
			if _, err := load(keep); !errors.Is(err, ErrCheckpoint) {
				t.Errorf("%s, kept %v: %v", dtype, keep, err)
			}
		}
	}
}
