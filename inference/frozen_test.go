package inference

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"
)

// frozenBits are SHA-256 digests over outputs, hidden states, attentions and gradients of one random input per network:
// the same on every processor. Whoever changes one changes engineVersion in the same commit, because records of earlier
// explanations can no longer be replayed to the bit.
var frozenBits = map[string]string{
	"pretrained/sentiment-minilm":                           "e067f798cd95e463c9284b58981a1d12",
	"pretrained/digits-resnet":                              "c7344df2e07bc62b0dc432b220cd70bb",
	"conformance/testdata/golden/family/bert-sequence":      "28042b1b8324b91fde7f66bdbd3a7f00",
	"conformance/testdata/golden/family/bert-token":         "09e98e428632488965c3f40bc98eccc9",
	"conformance/testdata/golden/family/bert-qa":            "96f3105055ba7ec4ff1dbd01da397de8",
	"conformance/testdata/golden/family/bert-mlm":           "df12547b6ae711bfa740f7ccdedb497e",
	"conformance/testdata/golden/family/sentence-embedding": "1b83774657d70315e8c4d3d8852d740f",
	"conformance/testdata/golden/family/resnet_basic":       "22b62657921ce34ac7a9f98bae31da77",
	"conformance/testdata/golden/family/resnet_bottleneck":  "f78360b58ea310b9152e052a6cbdac70",
	"conformance/testdata/golden/family/gpt2":               "46add671e0a474bf8559790721e6dbe0",
	"conformance/testdata/golden/family/gpt_neox":           "0b939a3107776fd2e35c19bde8a4dd33",
	"conformance/testdata/golden/family/llama":              "f9f21f15d1d9ee5b46470fb87d3fd46b",
	"conformance/testdata/golden/family/qwen3":              "02d8f39446d79f10e8bcdbfa5693ece7",
	"conformance/testdata/golden/family/gemma2":             "39cc0288ecb91b9b7f5a85277af89db3",
	"conformance/testdata/golden/family/t5":                 "5d7e7b14e5dd8f7aa8fedb432d56b48c",
	"conformance/testdata/golden/family/bart":               "892e16ce613735414e867a5ae886e108",
	"conformance/testdata/golden/family/m2m_100":            "20180939d5d69ebecaccbb832258a509",
	"conformance/testdata/golden/family/gpt_neox_serial":    "6f1618205d843add1cf6d2ab5803c182",
	"conformance/testdata/golden/family/llama3":             "6ec4e76624c9577ba69564e06f73d97d",
	"conformance/testdata/golden/family/marian":             "c4a11152d131e6c4d0d2b94f078bce5a",
	"conformance/testdata/golden/family/mistral":            "5ef8f02c8c29fb7c1927930fc3d9323e",
	"conformance/testdata/golden/family/qwen2":              "e72cc40e61dea1f8c49a47ca9cf348fa",
	"conformance/testdata/golden/family/t5_v1_1":            "b74fab48f2e178bb2bddcb7bebe49912",
	"conformance/testdata/golden/family/vit":                "1477be82bf30549470928a5d38f317f5",
}

const frozenVersion = "1"

func TestFrozenBits(t *testing.T) {
	if EngineVersion() != frozenVersion {
		t.Errorf("engine version %s, the frozen bits are of %s: freeze them anew", EngineVersion(), frozenVersion)
	}
	for _, dir := range networks(t) {
		m, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		e := m.example(rand.New(rand.NewPCG(11, 12)), 11)
		wide := m.wide()
		r := mustRun(t, m, []Example{e}, wide)[0]
		var b bytes.Buffer
		put := func(x []float32) {
			for _, v := range x {
				b.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
			}
		}
		put(r.Output.Data)
		for _, tap := range wide.Taps {
			put(r.Taps[tap].Data)
			put(r.Grads[tap].Data)
		}
		sum := sha256.Sum256(b.Bytes())
		if got := hex.EncodeToString(sum[:16]); got != frozenBits[dir] {
			t.Errorf("%q: %q,", dir, got)
		}
	}
}
