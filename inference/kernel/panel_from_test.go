package kernel

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPackFrom: rows fetched by the packing itself give the panels of Pack, for every level, and an error stops it.
func TestPackFrom(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, l := range Levels() {
		restore := SetLevel(l)
		var store Store
		for _, s := range [][2]int{{1, 1}, {7, 5}, {64, 16}, {3, 33}, {768, 200}, {5000, 40}} {
			k, n := s[0], s[1]
			w := random(r, k*n)
			fetch := func(lo int, dst []float32) error { copy(dst, w[lo*k:]); return nil }
			for _, from := range []*Store{nil, &store} {
				p, err := PackFrom(from, k, n, fetch)
				if err != nil || !slices.Equal(p.data, Pack(w, k, n, true).data) {
					t.Errorf("%s: %d×%d: panels differ (%v)", l, n, k, err)
				}
			}
			lost := errors.New("lost")
			if _, err := PackFrom(&store, k, n, func(lo int, dst []float32) error {
				if lo+len(dst)/k == n {
					return lost
				}
				return fetch(lo, dst)
			}); err != lost {
				t.Errorf("%s: %d×%d: error %v", l, n, k, err)
			}
		}
		restore()
	}
}

// TestStore: pieces are zero, do not overlap, and may be larger than a slab.
func TestStore(t *testing.T) {
	var s Store
	var all [][]float32
	for i, n := range []int{1, 1 << 15, 1<<15 + 3, slabFloats / 2, slabFloats + 1, slabFloats/2 - 5, 20000} {
		x := s.Take(n)
		if len(x) != n || slices.Max(x) != 0 || slices.Min(x) != 0 {
			t.Fatalf("piece %d: %d values, expected %d zeros", i, len(x), n)
		}
		for j := range x {
			x[j] = float32(i + 1)
		}
		all = append(all, x)
	}
	for i, x := range all {
		if slices.Min(x) != float32(i+1) || slices.Max(x) != float32(i+1) {
			t.Errorf("piece %d was written over", i)
		}
	}
}
