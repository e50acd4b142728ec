package inference

import (
	"vitrine/inference/family"
	"vitrine/inference/op"
)

// Word is the content of an id of the tokenizer's vocabulary; false where the model has no tokenizer or no such id.
func (m *Model) Word(id int32) (string, bool) {
	if m.tok == nil {
		return "", false
	}
	return m.tok.Token(id)
}

// WordEmbeddings is the table of word embeddings, (vocabulary, Hidden). It must not be changed. False where the model reads
// pictures, or its embeddings are not rows of one table.
func (m *Model) WordEmbeddings() (Tensor, bool) {
	if m.desc.Modality != "text" {
		return Tensor{}, false
	}
	built, err := m.net.Build(family.Shape{B: 1, T: 1, S: 1}, true)
	if err != nil || built.Words < 0 {
		return Tensor{}, false
	}
	t, ok := built.G.Nodes[built.Words].Attrs.(*op.Table)
	if !ok || t.D != m.desc.Hidden {
		return Tensor{}, false
	}
	return Tensor{Shape: []int{t.Rows, t.D}, Data: t.Values()}, true
}
