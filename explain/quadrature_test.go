package explain

import (
	"math"
	"testing"
)

// Nodes and weights of numpy 2.4.6 polynomial.legendre.leggauss(5) moved to [0,1]; exact values from Abramowitz &
// Stegun table 25.4.
func TestGaussLegendreKnown(t *testing.T) {
	r := gaussLegendre(5)
	nodes := []float64{(1 - 0.9061798459386640) / 2, (1 - 0.5384693101056831) / 2, 0.5, (1 + 0.5384693101056831) / 2, (1 + 0.9061798459386640) / 2}
	weights := []float64{0.2369268850561891 / 2, 0.4786286704993665 / 2, 0.5688888888888889 / 2, 0.4786286704993665 / 2, 0.2369268850561891 / 2}
	for i := range nodes {
		if math.Abs(r.nodes[i]-nodes[i]) > 1e-15 || math.Abs(r.weights[i]-weights[i]) > 1e-15 {
			t.Errorf("point %d: %v %v, want %v %v", i, r.nodes[i], r.weights[i], nodes[i], weights[i])
		}
	}
}

// An n-point Gauss rule integrates x^m exactly up to m = 2n-1, Clenshaw-Curtis with n+1 points up to m = n.
func TestRulesIntegratePowers(t *testing.T) {
	check := func(name string, r *rule, degree int) {
		t.Helper()
		for m := 0; m <= degree; m++ {
			sum := 0.0
			for k, a := range r.nodes {
				sum += r.weights[k] * math.Pow(a, float64(m))
			}
			if math.Abs(sum-1/float64(m+1)) > 1e-14 {
				t.Errorf("%s: integral of x^%d is %v", name, m, sum)
			}
		}
		for k := 1; k < len(r.nodes); k++ {
			if r.nodes[k] <= r.nodes[k-1] {
				t.Errorf("%s: nodes not ascending at %d", name, k)
			}
		}
	}
	for _, n := range []int{1, 2, 3, 20, 50, 200} {
		check("gauss", gaussLegendre(n), min(2*n-1, 60))
	}
	for _, n := range []int{8, 16, 32, 64, 128} {
		check("clenshaw-curtis", clenshawCurtis(n), min(n, 60))
	}
}

func TestClenshawCurtisNested(t *testing.T) {
	for _, n := range []int{16, 32, 64, 128} {
		coarse, fine := clenshawCurtis(n/2), clenshawCurtis(n)
		for k, a := range coarse.nodes {
			if fine.nodes[2*k] != a {
				t.Fatalf("node %d of %d is not node %d of %d", k, n/2, 2*k, n)
			}
		}
	}
}
