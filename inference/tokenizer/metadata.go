package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Metadata is what a GGUF file says about itself; false for a key that is absent or of another kind. Lists are not changed.
type Metadata interface {
	String(key string) (string, bool)
	Bool(key string) (bool, bool)
	Int(key string) (int64, bool)
	Strings(key string) ([]string, bool)
	Ints(key string) ([]int64, bool)
	Floats(key string) ([]float64, bool)
}

// The kinds of tokens in tokenizer.ggml.token_type.
const (
	tokenUnknown = 2
	tokenControl = 3
	tokenUser    = 4
)

// metadataKinds are the tokenizer models of GGUF files by tokenizer.ggml.model.
var metadataKinds = map[string]func(m Metadata, p *pipeline, vocab map[string]int32) error{
	"gpt2": metadataBPE, "llama": metadataSPM,
}

// FromMetadata builds the tokenizer of a GGUF file: byte-level BPE ("gpt2") with the word patterns that
// tokenizer.ggml.pre names, or SentencePiece BPE ("llama"). Ids are llama.cpp's, with special tokens in a text parsed.
func FromMetadata(m Metadata) (Tokenizer, error) {
	t, err := fromMetadata(m)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: reading GGUF metadata: %w", err)
	}
	return t, nil
}

func fromMetadata(m Metadata) (*pipeline, error) {
	kind, _ := m.String("tokenizer.ggml.model")
	build, ok := metadataKinds[kind]
	if !ok {
		return nil, fmt.Errorf("%w: tokenizer.ggml.model %.40q (this build runs gpt2 and llama)", ErrUnsupported, kind)
	}
	tokens, ok := m.Strings("tokenizer.ggml.tokens")
	if !ok {
		return nil, fmt.Errorf("%w: tokenizer.ggml.tokens is missing", ErrFormat)
	}
	if len(tokens) == 0 || len(tokens) > maxVocabulary {
		return nil, fmt.Errorf("%w: a vocabulary of %d tokens (1 to %d are allowed)", ErrFormat, len(tokens), maxVocabulary)
	}
	vocab := make(map[string]int32, len(tokens))
	for i := len(tokens) - 1; i >= 0; i-- { // the first of two equal tokens counts
		if len(tokens[i]) > maxEntryBytes || !utf8.ValidString(tokens[i]) {
			return nil, fmt.Errorf("%w: token %d is not UTF-8 or longer than %d bytes", ErrFormat, i, maxEntryBytes)
		}
		vocab[tokens[i]] = int32(i)
	}
	var p pipeline
	if err := build(m, &p, vocab); err != nil {
		return nil, err
	}
	added, err := metadataAdded(m, tokens)
	if err != nil {
		return nil, err
	}
	if err := metadataEnds(m, &p, tokens, kind); err != nil {
		return nil, err
	}
	if _, err := p.finish(added, metadataDigest(m, kind, tokens)); err != nil {
		return nil, err
	}
	p.special = metadataSpecial(m, len(tokens))
	return &p, nil
}

// metadataAdded are the tokens that are found in a text before it is split.
func metadataAdded(m Metadata, tokens []string) ([]addedToken, error) {
	types, ok := m.Ints("tokenizer.ggml.token_type")
	if ok && len(types) != len(tokens) {
		return nil, fmt.Errorf("%w: %d tokens and %d token types", ErrFormat, len(tokens), len(types))
	}
	var out []addedToken
	for i, t := range types {
		if t == tokenControl || t == tokenUser || t == tokenUnknown {
			out = append(out, addedToken{ID: int64(i), Content: tokens[i], Special: t != tokenUser})
		}
	}
	return out, nil
}

// metadataEnds puts the beginning and the end around a text where the file, or the kind's default, asks for it.
func metadataEnds(m Metadata, p *pipeline, tokens []string, kind string) error {
	pre, _ := m.String("tokenizer.ggml.pre")
	_, always := alwaysBegins[pre]
	begin := kind == "llama" || kind == "gpt2" && always
	if v, ok := m.Bool("tokenizer.ggml.add_bos_token"); ok {
		begin = v
	}
	end, _ := m.Bool("tokenizer.ggml.add_eos_token")
	mark := func(key string, otherwise int64) (templatePiece, error) {
		id, ok := m.Int(key)
		if !ok {
			id = otherwise
		}
		if id < 0 || id >= int64(len(tokens)) {
			return templatePiece{}, fmt.Errorf("%w: %s is %d, the vocabulary has %d tokens", ErrFormat, key, id, len(tokens))
		}
		return templatePiece{sequence: -1, special: []Token{specialToken(int32(id), tokens[id], 0)}}, nil
	}
	one := []templatePiece{{sequence: 0}}
	two := []templatePiece{{sequence: 1, typeID: 1}}
	if begin {
		piece, err := mark("tokenizer.ggml.bos_token_id", map[string]int64{"llama": 1, "gpt2": 11}[kind])
		if err != nil {
			return err
		}
		one, two = append([]templatePiece{piece}, one...), append([]templatePiece{piece}, two...)
	}
	if end {
		piece, err := mark("tokenizer.ggml.eos_token_id", map[string]int64{"llama": 2, "gpt2": 11}[kind])
		if err != nil {
			return err
		}
		one, two = append(one, piece), append(two, piece)
	}
	p.post = template{single: one, pair: slices.Concat(one, two)}
	return nil
}

func metadataSpecial(m Metadata, n int) SpecialIDs {
	id := func(key string) int32 {
		if v, ok := m.Int("tokenizer.ggml." + key + "_token_id"); ok && v >= 0 && v < int64(n) {
			return int32(v)
		}
		return -1
	}
	return SpecialIDs{Pad: id("padding"), Unk: id("unknown"), CLS: id("cls"), Sep: id("seperator"), Mask: id("mask"), BOS: id("bos"), EOS: id("eos")}
}

// metadataDigest covers everything that decides about ids.
func metadataDigest(m Metadata, kind string, tokens []string) string {
	var b []byte
	number := func(n uint64) { b = binary.LittleEndian.AppendUint64(b, n) }
	text := func(s string) {
		number(uint64(len(s)))
		b = append(b, s...)
	}
	text(kind)
	pre, _ := m.String("tokenizer.ggml.pre")
	text(pre)
	merges, _ := m.Strings("tokenizer.ggml.merges")
	for _, list := range [][]string{tokens, merges} {
		number(uint64(len(list)))
		for _, s := range list {
			text(s)
		}
	}
	types, _ := m.Ints("tokenizer.ggml.token_type")
	scores, _ := m.Floats("tokenizer.ggml.scores")
	number(uint64(len(types)))
	for _, t := range types {
		number(uint64(t))
	}
	number(uint64(len(scores)))
	for _, s := range scores {
		number(math.Float64bits(s))
	}
	for _, key := range []string{"add_bos_token", "add_eos_token", "add_space_prefix"} {
		v, ok := m.Bool("tokenizer.ggml." + key)
		text(fmt.Sprint(v, ok))
	}
	for _, key := range []string{"bos", "eos", "unknown", "padding"} {
		v, ok := m.Int("tokenizer.ggml." + key + "_token_id")
		text(fmt.Sprint(v, ok))
	}
	return digest(b)
}

// words are the patterns that split a text before byte-level BPE, one after another, by tokenizer.ggml.pre.
var words = func() map[string][]pattern {
	out := map[string][]pattern{}
	put := func(patterns []pattern, names ...string) {
		for _, n := range names {
			out[n] = patterns
		}
	}
	gpt2 := scanners[patternGPT2]
	put([]pattern{gpt2}, "gpt-2", "gpt2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "mpt", "olmo", "jais", "trillion", "gigachat", "a.x-4.0",
		"mellum", "modern-bert", "roberta-bpe", "exaone4", "granite-docling")
	put([]pattern{oneOf(isNumber), gpt2}, "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
	put([]pattern{scanners[patternLlama3]}, "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2", "dbrx", "smaug-bpe", "chatglm-bpe", "glm4")
	put([]pattern{scanners[patternQwen]}, "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan")
	put([]pattern{compiled(patternQwen35)}, "qwen35")
	put([]pattern{compiled(patternGPT4o)}, "gpt-4o", "llama4", "kanana2")
	put([]pattern{compiled(patternTekken)}, "tekken")
	put([]pattern{runOf(func(r rune) bool {
		return unicode.IsPunct(r) || r < 0x80 && slices.Contains([]rune("$+<=>^~|`"), r)
	}), gpt2, threeDigits{}}, "falcon")
	han := compiled(`[一-龥\u0800-一가-\ud7ff]+`)
	put([]pattern{compiled(`[\r\n]`), compiled(`\s?\p{L}+`), compiled(`\s?\p{P}+`), han, oneOf(isNumber)}, "deepseek-coder")
	put([]pattern{runOf(func(r rune) bool {
		return unicode.IsPunct(r) || r < 0x80 && slices.Contains([]rune("$+<=>^~|"), r)
	}), gpt2, runOf(isNumber), threeDigits{}}, "", "default")
	return out
}()

// Patterns of later models, for the matcher.
const (
	patternQwen35 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternGPT4o  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|` +
		`\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// compiled is a pattern of this file.
func compiled(src string) pattern {
	p, err := compileRegexp(src)
	if err != nil {
		panic("tokenizer: " + err.Error())
	}
	return p
}

// wholeWords take a word that is in the vocabulary as it is, merges or not; alwaysBegins put the beginning of a text
// first unless the file says otherwise.
var (
	wholeWords   = map[string]bool{"llama-bpe": true, "llama3": true, "llama-v3": true, "falcon3": true, "falcon-h1": true, "pixtral": true, "lfm2": true, "glm4": true, "tekken": true}
	alwaysBegins = map[string]bool{"llama-bpe": true, "llama3": true, "llama-v3": true, "falcon3": true, "falcon-h1": true, "pixtral": true, "lfm2": true, "tekken": true}
)

// runOf matches runs of characters.
type runOf func(rune) bool

func (f runOf) find(t text, from int, _ *int) (int, int, bool, error) {
	from = t.run(from, func(r rune) bool { return !f(r) })
	return from, t.run(from, f), from < len(t), nil
}

// threeDigits is [0-9][0-9][0-9].
type threeDigits struct{}

func (threeDigits) find(t text, from int, _ *int) (int, int, bool, error) {
	for at, n := from, 0; at < len(t); at++ {
		if t[at].r < '0' || t[at].r > '9' {
			n = 0
		} else if n++; n == 3 {
			return at - 2, at + 1, true, nil
		}
	}
	return 0, 0, false, nil
}

func metadataBPE(m Metadata, p *pipeline, vocab map[string]int32) error {
	pre, _ := m.String("tokenizer.ggml.pre")
	patterns, ok := words[pre]
	if !ok {
		return fmt.Errorf("%w: word pattern %.40q (tokenizer.ggml.pre)", ErrUnsupported, pre)
	}
	merges, ok := m.Strings("tokenizer.ggml.merges")
	if !ok {
		return fmt.Errorf("%w: tokenizer.ggml.merges is missing", ErrFormat)
	}
	list := make([]mergePair, len(merges))
	for i, s := range merges {
		left, right, ok := cutMerge(s)
		if !ok {
			return fmt.Errorf("%w: merge %d is not two tokens", ErrFormat, i+1)
		}
		list[i] = mergePair{left, right}
	}
	model := &bpe{vocab: vocab, unk: -1, whole: wholeWords[pre]}
	if err := model.addMerges(list); err != nil {
		return err
	}
	model.index()
	var stages preTokenizerChain
	for _, x := range patterns {
		stages = append(stages, splitter{pattern: x, behaviour: "Isolated"})
	}
	p.model, p.pre, p.decode = model, append(stages, byteLevel{}), byteLevelDecoder{}
	return nil
}

// cutMerge splits at the first blank behind the first character.
func cutMerge(s string) (left, right string, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] == ' ' {
			return s[:i], s[i+1:], i+1 < len(s)
		}
	}
	return "", "", false
}

func metadataSPM(m Metadata, p *pipeline, vocab map[string]int32) error {
	tokens, _ := m.Strings("tokenizer.ggml.tokens")
	scores, ok := m.Floats("tokenizer.ggml.scores")
	if !ok || len(scores) != len(tokens) {
		return fmt.Errorf("%w: %d tokens and %d scores", ErrFormat, len(tokens), len(scores))
	}
	unk, ok := m.Int("tokenizer.ggml.unknown_token_id")
	if !ok {
		unk = 0
	}
	if unk < 0 || unk >= int64(len(tokens)) {
		return fmt.Errorf("%w: the unknown token %d is outside the vocabulary", ErrFormat, unk)
	}
	model, err := newSPMBPE(vocab, scores, int32(unk))
	if err != nil {
		return err
	}
	prefix, given := m.Bool("tokenizer.ggml.add_space_prefix")
	p.model, p.normalize = model, spmBlanks(prefix || !given)
	p.decode = spmDecoder(prefix || !given)
	return nil
}

// spmBlanks writes ▁ for blanks and before a text.
func spmBlanks(prefix bool) normalizer {
	return normalizerFunc(func(t text) text {
		for i, c := range t {
			if c.r == ' ' {
				t[i].r = '▁'
			}
		}
		if prefix {
			t = t.prepend("▁")
		}
		return t
	})
}

// spmDecoder is the way back: blanks, bytes, and the blank before the text.
func spmDecoder(prefix bool) decoder {
	blanks := tokenwise(func(_ int, token string) string { return metaspace{mark: '▁', scheme: "never"}.token(1, token) })
	c := chain{blanks, byteFallbackDecoder{}, fuseDecoder{}}
	if prefix {
		c = append(c, stripDecoder{content: " ", lead: 1})
	}
	return c
}
