package graph

import (
	"math/bits"
	"sync"
)

// arena is the memory of one run of one plan, kept for the next one.
type arena struct {
	floats []float32
	values []Value
	calls  []*Call
	lent   *[]float32
}

// arenas lends the floats of arenas by size class, so that plans which do not run at the same time share them.
var arenas [64 * classes]sync.Pool

// classes is the number of size classes between one power of two and the next: at most an eighth of an arena is idle.
const classes = 8

// class is the size class of n values, and the size of its arenas.
func class(n int) (index, size int) {
	if n < 4096 {
		n = 4096
	}
	shift := bits.Len(uint(n-1)) - 4 // the leading four bits choose the class
	top := (n - 1) >> shift
	return shift*classes + top - classes, (top + 1) << shift
}

func (p *Plan) take() *arena {
	a, ok := p.pool.Get().(*arena)
	if !ok {
		a = &arena{values: make([]Value, len(p.nodes))}
	}
	index, size := class(p.arena)
	if a.lent, ok = arenas[index].Get().(*[]float32); !ok {
		floats := make([]float32, size)
		a.lent = &floats
	}
	a.floats = (*a.lent)[:p.arena]
	return a
}

func (p *Plan) give(a *arena) {
	index, _ := class(p.arena)
	arenas[index].Put(a.lent)
	a.floats, a.lent = nil, nil
	clear(a.values) // inputs are the caller's
	p.pool.Put(a)
}
