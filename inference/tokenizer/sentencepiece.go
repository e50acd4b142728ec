package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// The kinds of pieces of a SentencePiece model (sentencepiece_model.proto).
const (
	pieceNormal = iota + 1
	pieceUnknown
	pieceControl
	pieceUser
	pieceUnused
	pieceByte
)

// The kinds of models.
const (
	spmUnigram  = 1
	spmBytePair = 2
)

// spmPiece is one entry of the vocabulary.
type spmPiece struct {
	text  string
	score float32
	kind  int
}

// spmModel is the part of ModelProto that decides about ids.
type spmModel struct {
	pieces       []spmPiece
	kind         int
	byteFallback bool
	suffixBlank  bool // treat_whitespace_as_suffix
	charsmap     *charsmap
	dummyPrefix  bool
	trimBlanks   bool // remove_extra_whitespaces
	escapeBlanks bool
}

// wire reads protocol buffers: fields one after another, nothing nested by itself.
type wire struct {
	data []byte
	err  error
}

func (w *wire) fail(what string) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: the SentencePiece model %s", ErrFormat, what)
	}
	w.data = nil
}

func (w *wire) varint() uint64 {
	v, n := binary.Uvarint(w.data)
	if n <= 0 {
		w.fail("ends within a number")
		return 0
	}
	w.data = w.data[n:]
	return v
}

func (w *wire) take(n uint64) []byte {
	if n > uint64(len(w.data)) {
		w.fail(fmt.Sprintf("claims %d bytes and has %d", n, len(w.data)))
		return nil
	}
	out := w.data[:n]
	w.data = w.data[n:]
	return out
}

// fields calls f for every field: number for varints and fixed sizes, raw for
// length-delimited ones.
func (w *wire) fields(f func(field int, number uint64, raw []byte)) {
	for len(w.data) > 0 && w.err == nil {
		tag := w.varint()
		var number uint64
		var raw []byte
		switch tag & 7 {
		case 0:
			number = w.varint()
		case 1:
			if b := w.take(8); b != nil {
				number = binary.LittleEndian.Uint64(b)
			}
		case 2:
			raw = w.take(w.varint())
		case 5:
			if b := w.take(4); b != nil {
				number = uint64(binary.LittleEndian.Uint32(b))
			}
		default:
			w.fail(fmt.Sprintf("has a field of wire type %d", tag&7))
		}
		if w.err == nil {
			f(int(tag>>3), number, raw)
		}
	}
}

// parseSPM reads a .spm or .model file.
func parseSPM(raw []byte) (*spmModel, error) {
	m := &spmModel{kind: spmUnigram, dummyPrefix: true, trimBlanks: true, escapeBlanks: true}
	w := &wire{data: raw}
	var specErr error
	w.fields(func(field int, _ uint64, raw []byte) {
		inner := &wire{data: raw}
		switch field {
		case 1:
			if len(m.pieces) >= maxVocabulary {
				w.fail(fmt.Sprintf("has more than %d pieces", maxVocabulary))
				return
			}
			m.pieces = append(m.pieces, readPiece(inner))
		case 2:
			inner.fields(func(field int, number uint64, _ []byte) {
				switch field {
				case 3:
					m.kind = int(min(number, 99))
				case 24:
					m.suffixBlank = number != 0
				case 35:
					m.byteFallback = number != 0
				}
			})
		case 3:
			inner.fields(func(field int, number uint64, raw []byte) {
				switch field {
				case 2:
					if len(raw) > 0 {
						m.charsmap, specErr = newCharsmap(raw)
					}
				case 3:
					m.dummyPrefix = number != 0
				case 4:
					m.trimBlanks = number != 0
				case 5:
					m.escapeBlanks = number != 0
				}
			})
		}
		if inner.err != nil {
			w.err, w.data = inner.err, nil
		}
	})
	switch {
	case w.err != nil:
		return nil, w.err
	case specErr != nil:
		return nil, specErr
	}
	return m, m.check()
}

func readPiece(w *wire) spmPiece {
	p := spmPiece{kind: pieceNormal}
	w.fields(func(field int, number uint64, raw []byte) {
		switch field {
		case 1:
			p.text = string(raw)
		case 2:
			p.score = math.Float32frombits(uint32(number))
		case 3:
			p.kind = int(min(number, 99))
		}
	})
	return p
}

func (m *spmModel) check() error {
	if len(m.pieces) == 0 {
		return fmt.Errorf("%w: the SentencePiece model has no pieces", ErrFormat)
	}
	if m.kind != spmUnigram && m.kind != spmBytePair {
		return fmt.Errorf("%w: a SentencePiece model of kind %d (1, unigram, and 2, BPE, are read)", ErrUnsupported, m.kind)
	}
	unknown, chars := 0, 0
	for i, p := range m.pieces {
		chars += len(p.text)
		switch {
		case chars > maxTrieChars:
			return fmt.Errorf("%w: the pieces have more than %d bytes together", ErrFormat, maxTrieChars)
		case !utf8.ValidString(p.text) || len(p.text) > maxEntryBytes:
			return fmt.Errorf("%w: piece %d is not UTF-8 or longer than %d bytes", ErrFormat, i, maxEntryBytes)
		case p.score != p.score || math.IsInf(float64(p.score), 0):
			return fmt.Errorf("%w: piece %d has no finite score", ErrFormat, i)
		case p.kind == pieceUnknown:
			unknown++
		}
	}
	if unknown != 1 {
		return fmt.Errorf("%w: the SentencePiece model has %d unknown pieces, not one", ErrFormat, unknown)
	}
	if m.suffixBlank {
		return fmt.Errorf("%w: a SentencePiece model with blanks behind words", ErrUnsupported)
	}
	return nil
}

// unknown is the id of the unknown piece.
func (m *spmModel) unknown() int32 {
	for i, p := range m.pieces {
		if p.kind == pieceUnknown {
			return int32(i)
		}
	}
	return -1
}

// vocabulary gives ids by text; the first of two equal pieces counts.
func (m *spmModel) vocabulary() map[string]int32 {
	out := make(map[string]int32, len(m.pieces))
	for i := len(m.pieces) - 1; i >= 0; i-- {
		out[m.pieces[i].text] = int32(i)
	}
	return out
}

// model builds what turns normalised text into piece ids.
func (m *spmModel) model() (model, error) {
	if m.kind == spmBytePair {
		found := map[string]int32{}
		scores := make([]float64, len(m.pieces))
		for i, p := range m.pieces {
			scores[i] = float64(p.score)
			if p.kind == pieceNormal || p.kind == pieceUser {
				found[p.text] = int32(i)
			}
		}
		b, err := newSPMBPE(found, scores, m.unknown())
		if err == nil {
			b.all, b.bytes = m.vocabulary(), m.byteIDs()
		}
		return b, err
	}
	return m.unigram(), nil
}

// byteIDs are the byte pieces, nil where the model does not fall back on them.
func (m *spmModel) byteIDs() *[256]int32 {
	if !m.byteFallback {
		return nil
	}
	return byteTokens(m.vocabulary())
}

// unigram has only the pieces that a text may hold; a piece of the user's own
// scores so high that it is always taken (unigram_model.cc).
func (m *spmModel) unigram() *unigram {
	u := &unigram{vocab: m.vocabulary(), found: map[string]int32{}, scores: make([]float64, len(m.pieces)), unk: m.unknown(), single: true, bytes: m.byteIDs()}
	low, high := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	for _, p := range m.pieces {
		if p.kind == pieceNormal {
			low, high = min(low, p.score), max(high, p.score)
		}
	}
	for i, p := range m.pieces {
		u.scores[i] = float64(p.score)
		if p.kind == pieceUser {
			u.scores[i] = float64(float32(float64(float32(len(p.text))*high) - 0.1))
		}
		if p.kind == pieceNormal || p.kind == pieceUser {
			u.pieces.add(p.text, int32(i))
			u.found[p.text] = int32(i)
		}
	}
	u.unkCost = float64(low - unknownPenalty)
	return u
}

// normalize is SentencePiece's Normalizer (normalizer.cc) with the places that
// characters come from.
func (m *spmModel) normalize(t text) (text, error) {
	s := t.String()
	at := 0 // character of t
	next := func() (string, text) {
		if m.charsmap != nil {
			if r, n := m.charsmap.longest(s); n > 0 {
				from := at
				at += utf8.RuneCountInString(s[:n])
				s = s[n:]
				return r, t[from:at]
			}
		}
		_, n := utf8.DecodeRuneInString(s)
		one := s[:n]
		s = s[n:]
		at++
		return one, t[at-1 : at]
	}
	out := make(text, 0, len(t)+1)
	blank := m.trimBlanks // whether the output so far ends in a blank
	begun := false
	for len(s) > 0 {
		part, from := next()
		if !begun {
			if m.trimBlanks && part == " " {
				continue
			}
			begun = true
			if m.dummyPrefix {
				out = append(out, char{m.blank(), from[0].start, from[0].end})
			}
		}
		if blank {
			part = strings.TrimLeft(part, " ")
		}
		for _, r := range part {
			if r == ' ' {
				r = m.blank()
			}
			out = append(out, char{r, from[0].start, from[len(from)-1].end})
		}
		if part != "" {
			blank = m.trimBlanks && strings.HasSuffix(part, " ")
		}
	}
	for m.trimBlanks && len(out) > 0 && out[len(out)-1].r == m.blank() {
		out = out[:len(out)-1]
	}
	return out, nil
}

func (m *spmModel) blank() rune {
	if m.escapeBlanks {
		return '▁'
	}
	return ' '
}
