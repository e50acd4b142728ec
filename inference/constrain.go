package inference

import (
	"fmt"
	"sync"

	"vitrine/inference/grammar"
)

// vocabulary is what grammars need of a model, made when a first answer has a form.
type vocabulary struct {
	once  sync.Once
	words *grammar.Vocabulary
	plain bool // some id is a text of its own
}

// Constrain holds one answer of the model to a form: the matcher's Allow belongs into the options of a Writing. Each answer needs its own. Errors wrap
// ErrInput for a model that no form can be enforced on.
func (m *Model) Constrain(g *grammar.Grammar) (*grammar.Matcher, error) {
	if !m.Generates() || m.tok == nil {
		return nil, fmt.Errorf("inference: %w: this model does not write text, so that no form can be asked of it", ErrInput)
	}
	eos := m.Defaults().EOS
	if len(eos) == 0 {
		return nil, fmt.Errorf("inference: %w: this model has no id that ends an answer, so that no form can be enforced", ErrInput)
	}
	v := &m.continuation.vocabulary
	v.once.Do(func() {
		v.words = grammar.NewVocabulary(m.desc.Vocab, func(id int32, first bool) []byte {
			b := m.tok.Bytes(id, first)
			v.plain = v.plain || len(b) > 0
			return b
		}, eos)
	})
	if !v.plain {
		return nil, fmt.Errorf("inference: %w: the tokens of this model change with what follows them, so that no form can be enforced", ErrInput)
	}
	return g.Matcher(v.words), nil
}
