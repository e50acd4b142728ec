package kernel

// lanes is the number of virtual lanes of a reduction.
const lanes = 16

func fold(l *[lanes]float32) float32 {
	for h := lanes / 2; h > 0; h /= 2 {
		for j := range h {
			l[j] += l[j+h]
		}
	}
	return l[0]
}

// Sum adds the elements in the lane order of the package.
func Sum(x []float32) float32 { return current.Load().sum(x) }

// Dot is the sum of x[i]*y[i]: each lane is a chain of fused multiply-adds.
func Dot(x, y []float32) float32 { same2(len(x), len(y)); return current.Load().dot(x, y) }

// SumSquares is the sum of x[i]², each lane a chain of fused multiply-adds.
func SumSquares(x []float32) float32 { return current.Load().squares(x, 0) }

// Max is the largest element, or NaN where the row holds one; of an empty row -Inf.
func Max(x []float32) float32 { return maxGeneric(x) }

func sumGeneric(x []float32) float32 {
	var l [lanes]float32
	for len(x) > 0 {
		v, rest := block(x)
		for j := range l {
			l[j] += v[j]
		}
		x = rest
	}
	return fold(&l)
}

// block is the next 16 elements, missing ones being zeros, and the rest.
func block(x []float32) (v [lanes]float32, rest []float32) {
	n := copy(v[:], x)
	return v, x[n:]
}

func dotGeneric(x, y []float32) float32 {
	var l [lanes]float32
	for len(x) > 0 {
		v, xs := block(x)
		w, ys := block(y[:len(x)])
		for j := range l {
			l[j] = FMA(v[j], w[j], l[j])
		}
		x, y = xs, ys
	}
	return fold(&l)
}

func squaresGeneric(x []float32, mean float32) float32 {
	var l [lanes]float32
	for len(x) > 0 {
		v, rest := block(x)
		for j := range min(lanes, len(x)) {
			v[j] -= mean
		}
		for j := range l {
			l[j] = FMA(v[j], v[j], l[j])
		}
		x = rest
	}
	return fold(&l)
}

func maxGeneric(x []float32) float32 {
	m := negInf
	for _, v := range x {
		m = max(m, v)
	}
	return m
}
