package tokenizer

import (
	"fmt"
	"io/fs"
)

// loadSPM builds what transformers' converters make of a bare SentencePiece
// model: tokenizer.model (Llama, Mistral, Gemma) begins a text with <s>,
// spiece.model (T5) ends it with </s> and has sentinels behind the vocabulary.
func loadSPM(fsys fs.FS, name string) (*pipeline, error) {
	raw, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	m, err := parseSPM(raw)
	if err != nil {
		return nil, err
	}
	c := tokenConfig(fsys)
	p := &pipeline{normalize: spmNormalizer{m, c.Legacy != nil && !*c.Legacy}}
	if p.model, err = m.model(); err != nil {
		return nil, err
	}
	if u, ok := p.model.(*unigram); ok {
		u.single = false // the converted tokenizer sums in float64
	}
	vocab := p.model.vocabulary()
	var added []addedToken
	for i, piece := range m.pieces {
		if piece.kind == pieceControl || piece.kind == pieceUser || piece.kind == pieceUnknown {
			added = append(added, addedToken{ID: int64(i), Content: piece.text, Special: piece.kind != pieceUser})
		}
	}
	more, err := c.added(nil)
	if err != nil {
		return nil, err
	}
	added = append(added, more...)
	t5 := name == "spiece.model"
	if t5 {
		p.decode = tokenwise(metaspace{mark: '▁', scheme: "always"}.token)
		added = append(added, sentinels(len(m.pieces), c, more)...)
	} else {
		p.decode = spmDecoder(m.dummyPrefix)
	}
	if p.post, err = spmEnds(c, vocab, !t5, t5); err != nil {
		return nil, err
	}
	if p, err = p.finish(added, digest(raw)); err != nil {
		return nil, err
	}
	return p.named(fsys), nil
}

// maxSentinels bounds extra_ids.
const maxSentinels = 1 << 12

// sentinels are T5's <extra_id_N>, the last of them first behind the vocabulary.
func sentinels(n int, c config, given []addedToken) []addedToken {
	count := 100
	if c.ExtraIDs != nil {
		count = min(max(*c.ExtraIDs, 0), maxSentinels)
	}
	if len(given) > 0 {
		return nil // the configuration lists them
	}
	var out []addedToken
	for i := range count {
		out = append(out, addedToken{ID: int64(n + count - 1 - i), Content: fmt.Sprintf("<extra_id_%d>", i), Special: true})
	}
	return out
}

// spmEnds is the template of a text: its beginning and its end where asked for.
func spmEnds(c config, vocab map[string]int32, bos, eos bool) (template, error) {
	if c.AddBOS != nil {
		bos = *c.AddBOS
	}
	if c.AddEOS != nil {
		eos = *c.AddEOS
	}
	mark := func(on bool, key, name string) ([]templatePiece, error) {
		if given, ok := c.names[key]; ok {
			name = given
		}
		id, ok := vocab[name]
		if !on {
			return nil, nil
		} else if !ok {
			return nil, fmt.Errorf("%w: the vocabulary lacks %.40q, which begins or ends every text", ErrFormat, name)
		}
		return []templatePiece{{sequence: -1, special: []Token{specialToken(id, name, 0)}}}, nil
	}
	begin, err := mark(bos, "bos_token", "<s>")
	if err != nil {
		return template{}, err
	}
	end, err := mark(eos, "eos_token", "</s>")
	if err != nil {
		return template{}, err
	}
	around := func(sequence int) []templatePiece {
		out := append([]templatePiece{}, begin...)
		return append(append(out, templatePiece{sequence: sequence}), end...)
	}
	return template{single: around(0), pair: append(around(0), around(1)...)}, nil
}

// spmNormalizer is the model's own normaliser; with first only the beginning
// of the text gets the blank that stands before it.
type spmNormalizer struct {
	m     *spmModel
	first bool
}

func (n spmNormalizer) normalize(t text) (text, error) {
	if n.first && len(t) > 0 && t[0].start > 0 {
		inner := *n.m
		inner.dummyPrefix = false
		return inner.normalize(t)
	}
	return n.m.normalize(t)
}
