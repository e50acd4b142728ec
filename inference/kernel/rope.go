package kernel

// Rotate turns pairs of one head's row, element i with element i+len(cos) (Su et al. 2021, in the halved order of published checkpoints):
// a' = a·cos - b·sin, b' = b·cos + a·sin, each product and each sum rounded. What lies behind the pairs is copied. dst may be src.
func Rotate(dst, src, cos, sin []float32) {
	h := len(cos)
	if len(sin) != h || len(dst) != len(src) || len(src) < 2*h {
		panic("kernel: Rotate: operands do not fit")
	}
	a, b := src[:h], src[h:2*h]
	da, db := dst[:h], dst[h:2*h]
	sin = sin[:h]
	for i, c := range cos {
		x, y, s := a[i], b[i], sin[i]
		da[i] = float32(x*c) - float32(y*s)
		db[i] = float32(y*c) + float32(x*s)
	}
	copy(dst[2*h:], src[2*h:])
}
