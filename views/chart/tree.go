package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ErrProof means that a proof does not fit the tree's size.
var ErrProof = errors.New("chart: the proof does not have the length that the tree asks for")

// ProofStep is one sibling on the way from a leaf to the root.
type ProofStep struct {
	Sibling  string // hex
	Left     bool   // the sibling stands left
	From, To int64  // the leaves it covers, the last included
	Parent   string // hex, recomputed here
}

// ProofPath recomputes the root of a tree of the given size from a leaf hash and
// its inclusion proof (RFC 6962, section 2.1.1; siblings from the leaf up), and
// says which leaves each sibling covers.
func ProofPath(index, size int64, leaf [32]byte, proof [][32]byte) (steps []ProofStep, root string, err error) {
	type side struct {
		left     bool
		from, to int64
	}
	var sides []side
	lo, hi := int64(0), size
	if index < 0 || index >= size {
		return nil, "", ErrProof
	}
	for hi-lo > 1 {
		k := int64(1)
		for k*2 < hi-lo {
			k *= 2
		}
		if index < lo+k {
			sides = append(sides, side{false, lo + k, hi - 1})
			hi = lo + k
		} else {
			sides = append(sides, side{true, lo, lo + k - 1})
			lo += k
		}
	}
	if len(sides) != len(proof) {
		return nil, "", ErrProof
	}
	h := leaf
	for i, p := range proof {
		s := sides[len(sides)-1-i]
		if s.left {
			h = node(p, h)
		} else {
			h = node(h, p)
		}
		steps = append(steps, ProofStep{hex.EncodeToString(p[:]), s.left, s.from, s.to, hex.EncodeToString(h[:])})
	}
	return steps, hex.EncodeToString(h[:]), nil
}

func node(l, r [32]byte) [32]byte {
	b := make([]byte, 0, 65)
	b = append(b, 1)
	b = append(b, l[:]...)
	b = append(b, r[:]...)
	return sha256.Sum256(b)
}
