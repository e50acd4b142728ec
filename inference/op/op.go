// Package op holds the engine's operations, one file each: forward, shape rule, reverse rule and the samples of the
// conformance test that runs over all of them. A new file is tested the moment it exists.
//
// Letters for shapes: B batch, T tokens, D model width, H heads, N images, C channels.
package op

import (
	"fmt"
	"sync"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
)

// elementUnit is the number of elements one unit of parallel elementwise work covers.
const elementUnit = 8192

// overElements splits n elements over threads.
func overElements(c *graph.Call, n int, f func(lo, hi int)) {
	if n <= elementUnit {
		f(0, n)
		return
	}
	slabs(c, (n+elementUnit-1)/elementUnit, 1, elementUnit*elementWork, func(first, last int) {
		kernel.Parallel(c.Threads, last-first, func(u int) {
			u += first
			f(u*elementUnit, min(n, (u+1)*elementUnit))
		})
	})
}

// sameShape is the shape rule of ops whose operands and result have one shape.
func sameShape(_ any, in [][]int) ([]int, error) {
	for _, s := range in[1:] {
		if !equal(s, in[0]) {
			return nil, fmt.Errorf("operands %v and %v differ", in[0], s)
		}
	}
	return in[0], nil
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func rank(s []int, n int) error {
	if len(s) != n {
		return fmt.Errorf("operand %v should have %d dimensions", s, n)
	}
	return nil
}

// rows splits a shape into rows and the length of the last dimension.
func rows(s []int) (r, n int) {
	n = s[len(s)-1]
	return graph.Size(s[:len(s)-1]), n
}

var scratchPool sync.Pool

// scratch lends a buffer of n floats with undefined content.
func scratch(n int) *[]float32 {
	if p, ok := scratchPool.Get().(*[]float32); ok && cap(*p) >= n {
		*p = (*p)[:n]
		return p
	}
	s := make([]float32, n)
	return &s
}

func release(p *[]float32) { scratchPool.Put(p) }

// none is the gradient list of an op whose operands have none.
func none(n int) []graph.ID {
	out := make([]graph.ID, n)
	for i := range out {
		out[i] = graph.None
	}
	return out
}
