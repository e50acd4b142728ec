package tokenizer

import (
	"fmt"
	"io/fs"
)

// loadFairseq builds what transformers' converter makes of XLM-RoBERTa's
// sentencepiece.bpe.model: four special tokens first, the pieces behind them
// moved by one, <mask> last.
func loadFairseq(fsys fs.FS) (Tokenizer, error) {
	const name = "sentencepiece.bpe.model"
	raw, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(fsys, "vocab.json"); err == nil {
		return nil, fmt.Errorf("%w: %s with a vocab.json of its own (M2M100); save the tokenizer in the fast format", ErrUnsupported, name)
	}
	m, err := parseSPM(raw)
	if err != nil {
		return nil, err
	}
	if len(m.pieces) < 4 || m.pieces[0].text != "<unk>" || m.pieces[1].text != "<s>" || m.pieces[2].text != "</s>" {
		return nil, fmt.Errorf("%w: the model does not begin with <unk>, <s>, </s>", ErrFormat)
	}
	pieces := []spmPiece{{"<s>", 0, pieceControl}, {"<pad>", 0, pieceControl}, {"</s>", 0, pieceControl}, {"<unk>", 0, pieceUnknown}}
	m.pieces = append(append(pieces, m.pieces[3:]...), spmPiece{"<mask>", 0, pieceControl})
	p := &pipeline{normalize: spmNormalizer{m, false}, decode: tokenwise(metaspace{mark: '▁', scheme: "always"}.token)}
	if p.model, err = m.model(); err != nil {
		return nil, err
	}
	if u, ok := p.model.(*unigram); ok {
		u.single = false // the converted tokenizer sums in float64
	}
	var added []addedToken
	for i, piece := range m.pieces {
		if piece.kind == pieceControl || piece.kind == pieceUnknown {
			added = append(added, addedToken{ID: int64(i), Content: piece.text, Special: true, LStrip: piece.text == "<mask>"})
		}
	}
	mark := func(id int32) templatePiece {
		return templatePiece{sequence: -1, special: []Token{specialToken(id, m.pieces[id].text, 0)}}
	}
	one := []templatePiece{mark(0), {sequence: 0}, mark(2)}
	p.post = template{single: one, pair: append(one[:3:3], mark(2), templatePiece{sequence: 1}, mark(2))}
	if p, err = p.finish(added, digest(raw)); err != nil {
		return nil, err
	}
	return p.named(fsys), nil
}
