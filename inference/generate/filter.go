package generate

import (
	"cmp"
	"math"
	"slices"

	"vitrine/inference/kernel"
)

// The rules below change a row of logits (or, in beam search, of log-probabilities) in place; what is removed becomes -Inf. They follow
// generation/logits_process.py of transformers, in the order of its lists.

// penalise applies the rules that look at what was seen: all is prompt and continuation, written the number of new ids, of which last is the limit.
func (o *Options) penalise(x []float32, all []int32, written, last int) {
	if o.Repetition != 1 {
		repetition(x, all, float32(o.Repetition))
	}
	if o.Frequency != 0 || o.Presence != 0 {
		count := map[int32]int{}
		for _, id := range all[len(all)-written:] {
			count[id]++
		}
		for id, n := range count {
			x[id] -= float32(float64(o.Frequency*float64(n)) + o.Presence)
		}
	}
	if n := o.NoRepeat; n > 0 && len(all)+1 >= n {
		for _, id := range followers(all, n) {
			x[id] = negInf
		}
	}
	for _, word := range o.BadWords {
		if n := len(word); n > 0 && len(all) >= n-1 && slices.Equal(all[len(all)-n+1:], word[:n-1]) {
			x[word[n-1]] = negInf
		}
	}
	if written < o.MinNew {
		for _, id := range o.EOS {
			x[id] = negInf
		}
	}
	if o.ForcedFirst != nil && written == 0 {
		force(x, o.ForcedFirst)
	}
	if o.ForcedLast != nil && written == last-1 {
		force(x, o.ForcedLast)
	}
}

// Rules applies to a row of logits what looks at the sequence so far, of which the last written ids are new: everything but Warp.
func (o *Options) Rules(x []float32, all []int32, written int) {
	c := *o
	if c.Repetition == 0 {
		c.Repetition = 1
	}
	c.penalise(x, all, written, c.MaxNew)
}

// repetition makes ids that were seen less likely (Keskar et al. 2019).
func repetition(x []float32, seen []int32, penalty float32) {
	done := map[int32]bool{}
	for _, id := range seen {
		if done[id] {
			continue
		}
		done[id] = true
		if x[id] < 0 {
			x[id] *= penalty
		} else {
			x[id] /= penalty
		}
	}
}

// followers are the ids that would complete n ids which already stand somewhere in all.
func followers(all []int32, n int) []int32 {
	var out []int32
	tail := all[len(all)-n+1:]
	for i := 0; i+n <= len(all); i++ {
		if slices.Equal(all[i:i+n-1], tail) {
			out = append(out, all[i+n-1])
		}
	}
	return out
}

// force leaves only some ids, all equally likely.
func force(x []float32, ids []int32) {
	for i := range x {
		x[i] = negInf
	}
	for _, id := range ids {
		x[id] = 0
	}
}

// Warp divides logits by the temperature and removes what is improbable: what drawing does to a row before it draws. A value of 0 leaves its rule out.
func (o *Options) Warp(x []float32) {
	if t := float32(o.Temperature); t > 0 {
		for i := range x {
			x[i] /= t
		}
	}
	if o.TopK > 0 {
		topK(x, o.TopK)
	}
	if o.TopP > 0 && o.TopP < 1 {
		topP(x, o.TopP)
	}
	if o.MinP > 0 {
		minP(x, o.MinP)
	}
	if o.TypicalP > 0 && o.TypicalP < 1 {
		typicalP(x, o.TypicalP)
	}
}

// topK keeps the k largest, and what equals the smallest of them.
func topK(x []float32, k int) {
	if k >= len(x) {
		return
	}
	least := largest(x, k)
	for i, v := range x {
		if v < least {
			x[i] = negInf
		}
	}
}

// largest is the k-th largest value.
func largest(x []float32, k int) float32 {
	const few = 256
	if k > few {
		sorted := slices.Clone(x)
		slices.Sort(sorted)
		return sorted[len(sorted)-k]
	}
	top := make([]float32, 0, k+1) // ascending
	for _, v := range x {
		if len(top) == k && v <= top[0] {
			continue
		}
		at, _ := slices.BinarySearch(top, v)
		if top = slices.Insert(top, at, v); len(top) > k {
			top = top[:copy(top, top[1:])]
		}
	}
	return top[0]
}

// probabilities of a row.
func probabilities(x []float32) []float32 {
	p := make([]float32, len(x))
	kernel.Softmax(1, 1, len(x), p, x, 1)
	return p
}

// topP keeps the smallest set of most probable ids whose probability reaches p (Holtzman et al. 2020). Of equals, the lower id counts as less probable.
func topP(x []float32, p float64) {
	probs := probabilities(x)
	// What is too small to reach the limit all together need not be sorted: most of a vocabulary.
	small := (1 - p) / float64(2*len(x))
	sum := 0.0
	var order []int
	for i, v := range probs {
		if float64(v) > small {
			order = append(order, i)
			continue
		}
		sum += float64(v)
		x[i] = negInf
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(probs[a], probs[b]) })
	for _, i := range order[:len(order)-1] {
		if sum += float64(probs[i]); sum > 1-p {
			return
		}
		x[i] = negInf
	}
}

// byValue lists places by value, least first; equals keep their order.
func byValue(v []float32) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	return order
}

// minP keeps ids at least p times as probable as the best.
func minP(x []float32, p float64) {
	probs := probabilities(x)
	least := float32(p * float64(slices.Max(probs)))
	for i, v := range probs {
		if v < least {
			x[i] = negInf
		}
	}
}

// typicalP keeps the ids whose surprise is nearest to the expected one until their probability reaches p (Meister et al. 2022).
func typicalP(x []float32, p float64) {
	logs, probs := make([]float32, len(x)), probabilities(x)
	kernel.LogSoftmax(1, 1, len(x), logs, x)
	entropy := 0.0
	for i, l := range logs {
		if probs[i] > 0 {
			entropy -= float64(float64(probs[i]) * float64(l))
		}
	}
	distance := make([]float32, len(x))
	for i, l := range logs {
		distance[i] = float32(math.Abs(-float64(l) - entropy))
	}
	order := byValue(distance)
	sum := 0.0
	for k, i := range order {
		if k > 0 && sum >= p {
			x[i] = negInf
		}
		sum += float64(probs[i])
	}
}
