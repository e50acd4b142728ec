package explain

import (
	"fmt"
	"math"
)

// fitLinear fits values ≈ c + Σ w_k present_k by weighted least squares with an intercept and a ridge penalty on w
// (scikit-learn's LinearRegression and Ridge), and gives w. A direction that the sets do not determine gets the
// smallest solution. The sums are float64 and run in the order of the sets.
func fitLinear(sets [][]bool, values, weights []float64, ridge float64) ([]float64, error) {
	x, y, _ := centred(sets, values, weights)
	m := len(x[0])
	a := make([][]float64, m)
	b := make([]float64, m)
	trace := 0.0
	for i := range a {
		a[i] = make([]float64, m)
		for n := range x {
			if w := float64(weights[n] * x[n][i]); w != 0 {
				for j := range a[i] {
					a[i][j] += float64(w * x[n][j])
				}
				b[i] += float64(w * y[n])
			}
		}
		a[i][i] += ridge
		trace += a[i][i]
	}
	if solution, ok := cholesky(a, b); ok {
		return solution, nil
	}
	for i := range a { // the sets leave something open
		a[i][i] += float64(1e-9 * max(trace/float64(m), 1))
	}
	if solution, ok := cholesky(a, b); ok {
		return solution, nil
	}
	return nil, fmt.Errorf("explain: fitting a linear model: the sets do not determine it: %w", ErrNumber)
}

// centred takes weighted means away: what an intercept does.
func centred(sets [][]bool, values, weights []float64) (x [][]float64, y []float64, total float64) {
	m := len(sets[0])
	means, mean := make([]float64, m), 0.0
	for n, set := range sets {
		total += weights[n]
		mean += float64(weights[n] * values[n])
		for k, v := range set {
			if v {
				means[k] += weights[n]
			}
		}
	}
	mean /= total
	for k := range means {
		means[k] /= total
	}
	x, y = make([][]float64, len(sets)), make([]float64, len(sets))
	for n, set := range sets {
		x[n] = make([]float64, m)
		y[n] = values[n] - mean
		for k, v := range set {
			x[n][k] = float64(btoi(v)) - means[k]
		}
	}
	return x, y, total
}

// cholesky solves a·s = b for a symmetric positive definite a; false where a is not, up to rounding.
func cholesky(a [][]float64, b []float64) ([]float64, bool) {
	m := len(b)
	l := make([][]float64, m)
	for i := range l {
		l[i] = make([]float64, i+1)
		for j := range i + 1 {
			s := a[i][j]
			for k := range j {
				s -= float64(l[i][k] * l[j][k])
			}
			if i > j {
				l[i][j] = s / l[j][j]
				continue
			}
			if s <= 1e-12*math.Abs(a[i][i]) || s != s {
				return nil, false
			}
			l[i][i] = math.Sqrt(s)
		}
	}
	out := make([]float64, m)
	for i := range m {
		s := b[i]
		for k := range i {
			s -= float64(l[i][k] * out[k])
		}
		out[i] = s / l[i][i]
	}
	for i := m - 1; i >= 0; i-- {
		s := out[i]
		for k := i + 1; k < m; k++ {
			s -= float64(l[k][i] * out[k])
		}
		out[i] = s / l[i][i]
	}
	return out, true
}

// fitLasso minimises 1/(2n) Σ u_n (y_n - c - w·x_n)² + alpha |w|₁, the weights u scaled to sum to n, and gives w. It
// follows scikit-learn's Lasso to its stopping rule: cyclic coordinate descent from zero; after a round in which no
// coefficient moved by more than 1e-4 of the largest, it ends where the duality gap is at most 1e-4 of |y|².
func fitLasso(sets [][]bool, values, weights []float64, alpha float64) []float64 {
	x, y, total := centred(sets, values, weights)
	n, m := float64(len(sets)), len(sets[0])
	columns, norm := make([][]float64, m), make([]float64, m)
	for i := range x {
		root := math.Sqrt(float64(weights[i]*n) / total)
		y[i] *= root
		for k, v := range x[i] {
			v *= root
			columns[k] = append(columns[k], v)
			norm[k] += float64(v * v)
		}
	}
	const rounds, tolerance = 1000, 1e-4
	limit, goal := float64(alpha*n), float64(tolerance*dot(y, y))
	w, rest := make([]float64, m), append([]float64(nil), y...)
	for range rounds {
		moved, size := 0.0, 0.0
		for k, column := range columns {
			if norm[k] == 0 {
				continue
			}
			before := w[k]
			rho := dot(column, rest) + float64(norm[k]*before)
			w[k] = 0
			if math.Abs(rho) > limit {
				w[k] = math.Copysign(math.Abs(rho)-limit, rho) / norm[k]
			}
			if d := w[k] - before; d != 0 {
				for i, v := range column {
					rest[i] -= float64(d * v)
				}
				moved = max(moved, math.Abs(d))
			}
			size = max(size, math.Abs(w[k]))
		}
		if (size == 0 || moved/size < tolerance) && lassoGap(columns, w, rest, y, limit) <= goal {
			break
		}
	}
	return w
}

// lassoGap is the duality gap of a lasso at w with the rest y - Xw.
func lassoGap(columns [][]float64, w, rest, y []float64, limit float64) float64 {
	steepest, size := 0.0, 0.0
	for k, column := range columns {
		steepest = max(steepest, math.Abs(dot(column, rest)))
		size += math.Abs(w[k])
	}
	r, scale := dot(rest, rest), 1.0
	gap := r
	if steepest > limit {
		scale = limit / steepest
		gap = (r + float64(r*float64(scale*scale))) / 2
	}
	return gap + float64(limit*size) - float64(scale*dot(rest, y))
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(v * b[i])
	}
	return s
}
