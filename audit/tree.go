package audit

import "golang.org/x/mod/sumdb/tlog"

// Accumulator computes the root of a growing tree in memory proportional to its
// height. The zero value is the empty tree.
type Accumulator struct {
	size  int64
	peaks []tlog.Hash // roots of the perfect subtrees, largest first
}

// Size is the number of leaves added.
func (a *Accumulator) Size() int64 { return a.size }

// Add appends a leaf hash.
func (a *Accumulator) Add(h tlog.Hash) {
	for n := a.size; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(a.peaks[len(a.peaks)-1], h)
		a.peaks = a.peaks[:len(a.peaks)-1]
	}
	a.peaks = append(a.peaks, h)
	a.size++
}

// Root is the RFC 6962 root of the leaves added so far.
func (a *Accumulator) Root() tlog.Hash {
	if a.size == 0 {
		return EmptyRoot()
	}
	h := a.peaks[len(a.peaks)-1]
	for i := len(a.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(a.peaks[i], h)
	}
	return h
}

// Step is one level of an inclusion proof, for people: the sibling, the leaves it
// covers, on which side it stands, and what hashing with it gives.
type Step struct {
	Left        bool // the sibling stands left of the path
	First, Last int64
	Sibling     tlog.Hash
	Result      tlog.Hash
}

// ProofSteps walks an inclusion proof from the leaf to the root. The last Result
// is the root that the proof leads to; the caller compares it with the signed one.
// It returns nil when the proof does not have the length that index and size ask for.
func ProofSteps(p tlog.RecordProof, size, index int64, leaf tlog.Hash) []Step {
	if index < 0 || index >= size {
		return nil
	}
	var ranges []Step // root to leaf
	for lo, hi := int64(0), size; hi-lo > 1; {
		k := int64(1)
		for k*2 < hi-lo {
			k *= 2
		}
		if index < lo+k {
			ranges = append(ranges, Step{First: lo + k, Last: hi - 1})
			hi = lo + k
		} else {
			ranges = append(ranges, Step{Left: true, First: lo, Last: lo + k - 1})
			lo += k
		}
	}
	if len(ranges) != len(p) {
		return nil
	}
	steps := make([]Step, len(p))
	h := leaf
	for i := range p {
		s := ranges[len(ranges)-1-i]
		s.Sibling = p[i]
		if s.Left {
			h = tlog.NodeHash(p[i], h)
		} else {
			h = tlog.NodeHash(h, p[i])
		}
		s.Result = h
		steps[i] = s
	}
	return steps
}
