package kernel

import "sync"

// Store hands out memory for values that live as long as a model: large pieces of one model side by side, on huge pages where the
// system offers them, so that filling them takes few page faults and streaming them few table walks. The zero Store is ready; it
// is not safe for concurrent use. The memory is the garbage collector's, freed when nothing handed out is in use any more.
type Store struct{ rest []float32 }

const (
	slabFloats = 8 << 20 // of one slab: 32 MiB
	storeLeast = 1 << 14 // smaller pieces come from the heap
	cacheLine  = 16
)

// Take returns n zeros.
func (s *Store) Take(n int) []float32 {
	if s == nil || n < storeLeast {
		return make([]float32, n)
	}
	if n > slabFloats/2 {
		x := make([]float32, n)
		adviseHuge(x)
		return x
	}
	if n > len(s.rest) {
		s.rest = make([]float32, slabFloats)
		adviseHuge(s.rest)
	}
	x := s.rest[:n:n]
	s.rest = s.rest[min(len(s.rest), (n+cacheLine-1)/cacheLine*cacheLine):]
	return x
}

// PackFrom packs a matrix (n,k), the weight of a linear layer, as Pack does with transposed set, but fetches its rows itself: read
// fills dst with whole rows, the first of them row lo. It is called from several threads at once, in no order, until one call
// fails; that error comes back. The matrix never lies in memory as a whole. The panels are taken from s, or from the heap if s is nil.
func PackFrom(s *Store, k, n int, read func(lo int, dst []float32) error) (*Panel, error) {
	t := current.Load()
	p := &Panel{K: k, N: n, data: s.Take(panelsOf(n) * k * panelWidth)}
	group := panelWidth * max(1, (32<<10)/max(1, panelWidth*k)) // columns of a unit: rows that stay in the cache until they are packed
	var mu sync.Mutex
	var failed error
	Parallel(0, (n+group-1)/group, func(u int) {
		lo, hi := span(n, group, u)
		rows := scratch((hi - lo) * k)
		defer release(rows)
		if err := read(lo, *rows); err != nil {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
			return
		}
		t.pack(p.data[lo*k:], *rows, k, k, hi-lo, true)
	})
	return p, failed
}
