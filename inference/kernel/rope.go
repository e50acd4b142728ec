package kernel

// Rotate turns pairs of one head's row, element i with element i+len(cos) (Su et al. 2021, in the halved order of published checkpoints):
// a' = fma(a, cos, -(b·sin)), b' = fma(b, cos, a·sin); negated is -sin. What lies behind the pairs is copied. dst may be src.
func Rotate(dst, src, cos, sin, negated []float32) {
	h := len(cos)
	if len(sin) != h || len(negated) != h || len(dst) != len(src) || len(src) < 2*h {
		panic("kernel: Rotate: operands do not fit")
	}
	t := current.Load()
	s := scratch(2 * h)
	defer release(s)
	u, v := (*s)[:h], (*s)[h:]
	a, b := src[:h], src[h:2*h]
	t.mul(u, b, negated)
	t.mul(v, a, sin)
	t.fma3(dst[:h], a, cos, u)
	t.fma3(dst[h:2*h], b, cos, v)
	copy(dst[2*h:], src[2*h:])
}
