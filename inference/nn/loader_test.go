package nn

import (
	"errors"
	"strings"
	"testing"

	"vitrine/inference/kernel"
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
