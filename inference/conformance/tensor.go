package conformance

import (
	"fmt"

	"vitrine/inference/weights"
)

// tensor is an expected tensor in float64.
type tensor struct {
	shape []int
	data  []float64
}

// expected reads one tensor of expected.safetensors.
func expected(f *weights.File, name string) (tensor, error) {
	x, ok := f.Tensor(name)
	if !ok {
		return tensor{}, fmt.Errorf("expected tensor %s is missing", name)
	}
	t := tensor{shape: x.Shape}
	switch x.DType {
	case "F64", "F32", "F16", "BF16":
		data, err := x.Float64()
		if err != nil {
			return tensor{}, err
		}
		t.data = data
	default:
		data, err := x.Int64()
		if err != nil {
			return tensor{}, err
		}
		t.data = make([]float64, len(data))
		for i, v := range data {
			t.data[i] = float64(v)
		}
	}
	return t, nil
}

// row is example b of a batch, keeping only the positions pos along the axes
// that count tokens (axes of the whole tensor, the batch being axis 0). Padding
// is left out of every comparison: what a library computes there is accident.
func (t tensor) row(b int, pos []int, axes ...int) (tensor, error) {
	if len(t.shape) == 0 || b >= t.shape[0] {
		return tensor{}, fmt.Errorf("expected tensor of shape %v has no example %d", t.shape, b)
	}
	size := len(t.data) / t.shape[0]
	out := tensor{shape: append([]int(nil), t.shape[1:]...), data: t.data[b*size : (b+1)*size]}
	for _, axis := range axes {
		if axis < 1 || axis >= len(t.shape) {
			return tensor{}, fmt.Errorf("expected tensor of shape %v has no axis %d", t.shape, axis)
		}
		for _, p := range pos {
			if p >= t.shape[axis] {
				return tensor{}, fmt.Errorf("expected tensor of shape %v is shorter than the mask", t.shape)
			}
		}
		out = out.take(axis-1, pos)
	}
	return out, nil
}

// take keeps the given places along an axis.
func (t tensor) take(axis int, places []int) tensor {
	outer, inner := 1, 1
	for _, n := range t.shape[:axis] {
		outer *= n
	}
	for _, n := range t.shape[axis+1:] {
		inner *= n
	}
	n := t.shape[axis]
	out := tensor{shape: append([]int(nil), t.shape...)}
	out.shape[axis] = len(places)
	for o := range outer {
		for _, p := range places {
			out.data = append(out.data, t.data[(o*n+p)*inner:(o*n+p+1)*inner]...)
		}
	}
	return out
}
