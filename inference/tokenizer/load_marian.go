package tokenizer

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
)

// marian is transformers' MarianTokenizer: SentencePiece models of the source
// and the target language cut the text, vocab.json numbers the pieces.
type marian struct {
	*pipeline
	target *pipeline
}

// TargetEncoder is satisfied by tokenizers that cut texts of the target
// language in another way than those of the source language.
type TargetEncoder interface {
	EncodeTarget(text string, special bool) (Encoding, error)
}

// EncodeTarget tokenizes a text of the target language.
func (m *marian) EncodeTarget(text string, special bool) (Encoding, error) {
	return m.target.Encode(text, nil, special)
}

func loadMarian(fsys fs.FS) (Tokenizer, error) {
	var raws [3][]byte
	for i, name := range []string{"source.spm", "target.spm", "vocab.json"} {
		raw, err := readFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		raws[i] = raw
	}
	var list map[string]int64
	if err := decodeJSON(raws[2], &list); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	vocab, err := checkVocabulary(list)
	if err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	config := tokenConfig(fsys)
	if config.SeparateVocabs {
		return nil, fmt.Errorf("%w: a Marian tokenizer with separate vocabularies", ErrUnsupported)
	}
	added, err := marianSpecial(vocab, config)
	if err != nil {
		return nil, err
	}
	source, err := parseSPM(raws[0])
	if err != nil {
		return nil, fmt.Errorf("source.spm: %w", err)
	}
	target, err := parseSPM(raws[1])
	if err != nil {
		return nil, fmt.Errorf("target.spm: %w", err)
	}
	end := templatePiece{sequence: -1, special: []Token{specialToken(int32(added[0].ID), added[0].Content, 0)}}
	special := map[string]bool{}
	for _, a := range added {
		special[a.Content] = true
	}
	build := func(m *spmModel) (*pipeline, error) {
		p := &pipeline{decode: marianDecoder{pieces: source.vocabulary(), special: special}}
		p.post = template{single: []templatePiece{{sequence: 0}, end}, pair: []templatePiece{{sequence: 0}, {sequence: 1}, end}}
		inner, err := m.model()
		if err != nil {
			return nil, err
		}
		p.model = marianModel{spm: m, inner: inner, vocab: vocab, unk: int32(added[1].ID), unkName: added[1].Content}
		return p.finish(added, digest(raws[0], raws[1], raws[2]))
	}
	var m marian
	if m.pipeline, err = build(source); err != nil {
		return nil, err
	}
	if m.target, err = build(target); err != nil {
		return nil, err
	}
	m.pipeline.named(fsys)
	return &m, nil
}

// marianSpecial are the tokens with a role: the end, the unknown one and the padding.
func marianSpecial(vocab map[string]int32, config config) ([]addedToken, error) {
	var added []addedToken
	for _, role := range []struct{ key, name string }{{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}} {
		name := role.name
		if given, ok := config.names[role.key]; ok {
			name = given
		}
		id, ok := vocab[name]
		if !ok {
			return nil, fmt.Errorf("%w: vocab.json lacks %.40q", ErrFormat, name)
		}
		added = append(added, addedToken{ID: int64(id), Content: name, Special: true})
	}
	return added, nil
}

// marianModel cuts a text, a language code such as >>fra<< first, and looks
// the pieces up by what they say.
type marianModel struct {
	spm     *spmModel
	inner   model
	vocab   map[string]int32
	unk     int32
	unkName string
}

func (m marianModel) vocabulary() map[string]int32 { return m.vocab }

func (m marianModel) tokenize(word text, emit func(id int32, value string, from, to int)) {
	put := func(value string, from, to int) {
		id, ok := m.vocab[value]
		if !ok {
			id, value = m.unk, m.unkName
		}
		emit(id, value, from, max(to, from+1))
	}
	base := 0
	if s := word.String(); strings.HasPrefix(s, ">>") {
		if end := strings.Index(s, "<<"); end >= 0 {
			code := s[:end+2]
			base = len([]rune(code))
			put(code, 0, base)
		}
	}
	normal, _ := m.spm.normalize(word[base:]) // never fails
	if len(normal) == 0 {
		return
	}
	first := int(word[0].start)
	m.inner.tokenize(normal, func(_ int32, value string, from, to int) {
		put(value, int(normal[from].start)-first, int(normal[to-1].end)-first)
	})
}

// marianDecoder joins pieces between special tokens as the source language's
// model does, and strips the whole.
type marianDecoder struct {
	pieces  map[string]int32
	special map[string]bool
}

func (d marianDecoder) start() stage { return &marianStage{d: d} }

type marianStage struct {
	d     marianDecoder
	begun bool   // the stretch since the last special token has text
	shown bool   // something other than white space has been handed on
	held  string // white space that may turn out to end the text
}

func (m *marianStage) push(p part, out func(part)) {
	s := p.s
	if m.d.special[s] {
		m.begun = false
		m.give(s+" ", out)
		return
	}
	if _, known := m.d.pieces[s]; known && !m.begun {
		s = strings.TrimPrefix(s, "▁")
	}
	m.begun = m.begun || s != ""
	m.give(strings.ReplaceAll(s, "▁", " "), out)
}

// give hands on what cannot be stripped any more.
func (m *marianStage) give(s string, out func(part)) {
	if !m.shown {
		s = strings.TrimLeftFunc(s, isPythonSpace)
	}
	solid := strings.TrimRightFunc(s, isPythonSpace)
	if solid == "" {
		m.held += s
		return
	}
	out(part{m.held + solid, true, true})
	m.held, m.shown = s[len(solid):], true
}

func (m *marianStage) flush(func(part)) {}

// isPythonSpace is what str.strip takes away.
func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1C && r <= 0x1F }

// config is what tokenizer_config.json says beside the fast file.
type config struct {
	legacyConfig
	SeparateVocabs bool  `json:"separate_vocabs"`
	AddBOS         *bool `json:"add_bos_token"`
	AddEOS         *bool `json:"add_eos_token"`
	ExtraIDs       *int  `json:"extra_ids"`
	Legacy         *bool `json:"legacy"`
	names          map[string]string
}

// tokenConfig reads tokenizer_config.json and special_tokens_map.json; both are optional.
func tokenConfig(fsys fs.FS) config {
	c := config{names: map[string]string{}}
	for _, file := range []string{"special_tokens_map.json", "tokenizer_config.json"} {
		raw, err := readFile(fsys, file)
		if err != nil {
			continue
		}
		var keys map[string]json.RawMessage
		if json.Unmarshal(raw, &keys) != nil {
			continue
		}
		_ = json.Unmarshal(raw, &c) // what does not fit stays at its default
		for _, role := range roles {
			if name, ok := tokenName(keys[role.key]); ok {
				c.names[role.key] = name
			}
		}
	}
	return c
}
