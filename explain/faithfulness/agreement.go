package faithfulness

import (
	"vitrine/explain"
	"vitrine/explain/metric"
)

// topUnits is the number of largest values whose overlap is given.
const topUnits = 5

// agreement averages the agreement of each pair of methods over the inputs that both explained.
func agreement(methods []explain.Method, answers [][]explain.Answer) Agreement {
	n := len(methods)
	a := Agreement{Methods: make([]string, n), Tau: square(n), Top: square(n), Sign: square(n)}
	for i, m := range methods {
		a.Methods[i] = m.ID
	}
	for i := range n {
		for j := range i + 1 {
			pairs := 0
			for _, row := range answers {
				x, y := units(row[i]), units(row[j])
				if len(x) == 0 || len(x) != len(y) {
					continue
				}
				pairs++
				a.Tau[i][j] += metric.Kendall(x, y)
				a.Top[i][j] += metric.TopOverlap(x, y, topUnits)
				a.Sign[i][j] += metric.SignAgreement(x, y)
			}
			for _, m := range [][][]float64{a.Tau, a.Top, a.Sign} {
				m[i][j] /= float64(max(1, pairs))
				m[j][i] = m[i][j]
			}
		}
	}
	return a
}

func units(a explain.Answer) []float64 {
	if a.Err != nil {
		return nil
	}
	return explain.Units(a.Explanation)
}

func square(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
	}
	return m
}
