package tokenizer

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// mergeClasses are the tokenizers that come as vocab.json and merges.txt, by
// tokenizer_class without "Fast": what they do beside byte-level BPE.
var mergeClasses = map[string]func(p *pipeline, vocab map[string]int32) error{
	"": plainGPT2, "GPT2Tokenizer": plainGPT2, "CodeGenTokenizer": plainGPT2, "GPTNeoXTokenizer": plainGPT2,
	"Qwen2Tokenizer":   qwen2,
	"RobertaTokenizer": robertaMerges, "BartTokenizer": robertaMerges, "LongformerTokenizer": robertaMerges,
}

// loadMerges builds what transformers' converters make of vocab.json and merges.txt.
func loadMerges(fsys fs.FS) (Tokenizer, error) {
	c := tokenConfig(fsys)
	finish, ok := mergeClasses[strings.TrimSuffix(c.Class, "Fast")]
	if !ok {
		return nil, fmt.Errorf("%w: %.60s from merges.txt; save the tokenizer in the fast format", ErrUnsupported, c.Class)
	}
	rawVocab, err := readFile(fsys, "vocab.json")
	if err != nil {
		return nil, err
	}
	rawMerges, err := readFile(fsys, "merges.txt")
	if err != nil {
		return nil, err
	}
	var list map[string]int64
	if err := decodeJSON(rawVocab, &list); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	m := &bpe{unk: -1}
	if m.vocab, err = checkVocabulary(list); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	if !utf8.Valid(rawMerges) {
		return nil, fmt.Errorf("%w: merges.txt is not valid UTF-8", ErrFormat)
	}
	var merges []mergePair
	for i, line := range strings.Split(string(rawMerges), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("%w: line %d of merges.txt is not two tokens", ErrFormat, i+1)
		}
		merges = append(merges, mergePair{left, right})
	}
	if err := m.addMerges(merges); err != nil {
		return nil, err
	}
	m.index()
	p := &pipeline{model: m, pre: byteLevel{words: true}, decode: byteLevelDecoder{}}
	if err := finish(p, m.vocab); err != nil {
		return nil, err
	}
	added, err := c.added(nil)
	if err != nil {
		return nil, err
	}
	for _, role := range roles {
		name := c.names[role.key]
		if id, ok := m.vocab[name]; ok { // special by its role
			added = append(added, addedToken{ID: int64(id), Content: name, Special: true, LStrip: role.key == "mask_token"})
		}
	}
	if p, err = p.finish(added, digest(rawVocab, rawMerges)); err != nil {
		return nil, err
	}
	return p.named(fsys), nil
}

func plainGPT2(*pipeline, map[string]int32) error { return nil }

func qwen2(p *pipeline, _ map[string]int32) error {
	nfc, err := normalizers.parse([]byte(`{"type":"NFC"}`))
	p.normalize = nfc
	p.pre = preTokenizerChain{splitter{pattern: scanners[patternQwen], behaviour: "Isolated"}, byteLevel{}}
	return err
}

func robertaMerges(p *pipeline, vocab map[string]int32) error {
	cls, okC := vocab["<s>"]
	sep, okS := vocab["</s>"]
	if !okC || !okS {
		return fmt.Errorf("%w: the vocabulary lacks <s> or </s>", ErrFormat)
	}
	p.post = newRoberta("<s>", cls, "</s>", sep, byteLevelTrim{true, false})
	return nil
}
