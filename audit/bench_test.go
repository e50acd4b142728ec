package audit

import "testing"

// BenchmarkParseLeaf is most of the time of verifying a pack.
func BenchmarkParseLeaf(b *testing.B) {
	k, _ := LookupKind("PREDICTION.MADE.OK")
	leaf, err := k.Sample.Canonical()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(leaf)))
	for b.Loop() {
		if _, err := ParseLeaf(leaf); err != nil {
			b.Fatal(err)
		}
	}
}
