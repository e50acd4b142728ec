package explain

import "math"

// eigen projects the feature maps, or their product with the gradients, on their first principal component over the channels. The
// sign of a component is arbitrary: it is turned so that the map correlates with Grad-CAM's.
func (m *activations) eigen(withGradient bool) *Attribution {
	n, c := m.layout.units, m.channels
	x := make([][]float64, n) // places × channels, centred per channel
	for i := range x {
		x[i] = make([]float64, c)
		for j := range c {
			k := m.layout.index(i, j)
			x[i][j] = m.a[k]
			if withGradient {
				x[i][j] = float64(m.a[k] * m.g[k])
			}
		}
	}
	for j := range c {
		mean := 0.0
		for i := range x {
			mean += x[i][j] / float64(n)
		}
		for i := range x {
			x[i][j] -= mean
		}
	}
	out := m.empty()
	out.Values = firstComponent(x)
	reference := m.weighed(m.gradientMeans()).Values
	if correlation(out.Values, reference) < 0 {
		for i := range out.Values {
			out.Values[i] = -out.Values[i]
		}
	}
	return out
}

// firstComponent is X·v for the first right singular vector v of X (rows × columns), by power iteration on the smaller of
// XXᵀ and XᵀX: X·v is the singular value times the first left singular vector.
func firstComponent(x [][]float64) []float64 {
	n, c := len(x), len(x[0])
	tall := n > c
	size := min(n, c)
	gram := make([][]float64, size)
	for i := range gram {
		gram[i] = make([]float64, size)
		for j := range i + 1 {
			s := 0.0
			for k := range max(n, c) {
				if tall {
					s += float64(x[k][i] * x[k][j])
				} else {
					s += float64(x[i][k] * x[j][k])
				}
			}
			gram[i][j], gram[j][i] = s, s
		}
	}
	u, value := powerIteration(gram)
	out := make([]float64, n)
	for i := range out {
		if !tall {
			out[i] = float64(u[i] * math.Sqrt(max(value, 0)))
			continue
		}
		for j, v := range x[i] {
			out[i] += float64(v * u[j])
		}
	}
	return out
}

// powerIteration gives the leading unit eigenvector of a symmetric positive semidefinite matrix and its eigenvalue.
// It starts from the largest column, so that its result depends on nothing else.
func powerIteration(a [][]float64) ([]float64, float64) {
	n := len(a)
	u := make([]float64, n)
	copy(u, a[argmaxDiagonal(a)])
	value := 0.0
	const rounds = 20000
	for range rounds {
		norm := 0.0
		for _, v := range u {
			norm += float64(v * v)
		}
		if norm = math.Sqrt(norm); norm == 0 {
			return u, 0
		}
		for i := range u {
			u[i] /= norm
		}
		next := make([]float64, n)
		value = 0
		for i := range a {
			for j, v := range a[i] {
				next[i] += float64(v * u[j])
			}
			value += float64(next[i] * u[i])
		}
		moved := 0.0
		for i := range next {
			moved = max(moved, math.Abs(next[i]-float64(value*u[i])))
		}
		if moved <= 1e-13*value {
			break
		}
		u = next
	}
	norm := 0.0
	for _, v := range u {
		norm += float64(v * v)
	}
	for i := range u {
		u[i] /= math.Sqrt(norm)
	}
	return u, value
}

func argmaxDiagonal(a [][]float64) int {
	best := 0
	for i := range a {
		if a[i][i] > a[best][best] {
			best = i
		}
	}
	return best
}

// correlation is Pearson's; 0 where one of the two is constant.
func correlation(a, b []float64) float64 {
	n := float64(len(a))
	ma, mb := sum(a)/n, sum(b)/n
	ab, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		ab += float64((a[i] - ma) * (b[i] - mb))
		aa += float64((a[i] - ma) * (a[i] - ma))
		bb += float64((b[i] - mb) * (b[i] - mb))
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(float64(aa*bb))
}
