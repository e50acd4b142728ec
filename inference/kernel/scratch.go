package kernel

import "sync"

var pool sync.Pool

// scratch returns n values of unspecified content; give them back with release.
func scratch(n int) *[]float32 {
	if s, _ := pool.Get().(*[]float32); s != nil && cap(*s) >= n {
		*s = (*s)[:n]
		return s
	}
	s := make([]float32, n, n+n/4)
	return &s
}

func release(s *[]float32) { pool.Put(s) }
