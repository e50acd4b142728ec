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
func Max(x []float32) float32 { return current.Load().max(x) }

func sumGeneric(x []float32) float32 {
	var l [lanes]float32
	for len(x) >= lanes {
		for j := range lanes {
			l[j] += x[j]
		}
		x = x[lanes:]
	}
	for j, v := range x {
		l[j] += v
	}
	return fold(&l)
}

func dotGeneric(x, y []float32) float32 {
	var l [lanes]float32
	for i, v := range x {
		j := i % lanes
		l[j] = FMA(v, y[i], l[j])
	}
	return fold(&l)
}

// squaresGeneric sums (x-mean)².
func squaresGeneric(x []float32, mean float32) float32 {
	var l [lanes]float32
	for i, v := range x {
		j := i % lanes
		d := v - mean
		l[j] = FMA(d, d, l[j])
	}
	return fold(&l)
}

func maxGeneric(x []float32) float32 {
	m := negInf
	for _, v := range x {
		if v > m || v != v {
			m = v
		}
		if m != m {
			return m
		}
	}
	return m
}
