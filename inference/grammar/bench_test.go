package grammar

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkMask is the mask of a place that was not met before, within a text and before a
// name, over as many tokens as small published models have.
func BenchmarkMask(b *testing.B) {
	const size = 49152
	r := rand.New(rand.NewPCG(1, 1))
	words := make([][]byte, size)
	for i := range words {
		if i < 256 {
			words[i] = []byte{byte(i)}
			continue
		}
		if r.IntN(2) == 0 {
			words[i] = []byte{' '}
		}
		for range 1 + r.IntN(9) {
			words[i] = append(words[i], byte('a'+min(r.IntN(26), r.IntN(26))))
		}
	}
	v := NewVocabulary(size, func(id int32, _ bool) []byte { return words[id] }, nil)
	g := must(b, `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`)
	for name, text := range map[string]string{"text": `{"name":"`, "name": `{"`} {
		b.Run(name, func(b *testing.B) {
			m := newMachine(g.net)
			at := start
			for i := range len(text) {
				at = m.step(at, text[i])
			}
			for b.Loop() {
				if _, err := v.mask(m, v.later, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
