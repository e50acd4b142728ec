package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// maxFileBytes bounds every tokenizer file; the largest published
// tokenizer.json has 33 MB.
const maxFileBytes = 64 << 20

func load(fsys fs.FS) (Tokenizer, error) {
	raw, err := readFile(fsys, "tokenizer.json")
	switch {
	case err == nil:
		p, err := parseFast(raw)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: reading tokenizer.json: %w", err)
		}
		return p.named(fsys), nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("tokenizer: reading tokenizer.json: %w", err)
	}
	for _, other := range []struct {
		file string
		load func(fs.FS) (Tokenizer, error)
	}{
		{"source.spm", loadMarian}, {"sentencepiece.bpe.model", loadFairseq}, {"merges.txt", loadMerges},
		{"tokenizer.model", func(fsys fs.FS) (Tokenizer, error) { return loadSPM(fsys, "tokenizer.model") }},
		{"spiece.model", func(fsys fs.FS) (Tokenizer, error) { return loadSPM(fsys, "spiece.model") }},
	} {
		if _, err := fs.Stat(fsys, other.file); err != nil {
			continue
		}
		t, err := other.load(fsys)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: reading %s: %w", other.file, err)
		}
		return t, nil
	}
	p, err := loadVocabulary(fsys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w", nothingToRead(fsys))
	} else if err != nil {
		return nil, fmt.Errorf("tokenizer: reading vocab.txt: %w", err)
	}
	return p, nil
}

// nothingToRead says what a folder without a usable file has instead.
func nothingToRead(fsys fs.FS) error {
	if _, err := fs.Stat(fsys, "vocab.json"); err == nil {
		return fmt.Errorf("%w: the folder has vocab.json without tokenizer.json or merges.txt; save the tokenizer in the fast format", ErrUnsupported)
	}
	return fmt.Errorf("%w: the folder has neither tokenizer.json nor another tokenizer file; copy the tokenizer's files into it", ErrFormat)
}

// readFile refuses files above maxFileBytes without reading them whole.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%w: %s is larger than %d MiB", ErrFormat, name, maxFileBytes>>20)
	}
	return raw, nil
}

// parseFast reads a tokenizer.json.
func parseFast(raw []byte) (*pipeline, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: not valid UTF-8", ErrFormat)
	}
	var c struct {
		Truncation    json.RawMessage `json:"truncation"`
		Padding       json.RawMessage `json:"padding"`
		AddedTokens   json.RawMessage `json:"added_tokens"`
		Normalizer    json.RawMessage `json:"normalizer"`
		PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
		PostProcessor json.RawMessage `json:"post_processor"`
		Decoder       json.RawMessage `json:"decoder"`
		Model         json.RawMessage `json:"model"`
	}
	if err := decodeJSON(raw, &c); err != nil {
		return nil, err
	}
	var p pipeline
	var err error
	if p.model, err = models.parse(c.Model); err != nil {
		return nil, err
	}
	if p.model == nil {
		return nil, fmt.Errorf("%w: it has no model", ErrFormat)
	}
	if p.normalize, err = normalizers.parse(c.Normalizer); err != nil {
		return nil, err
	}
	if p.pre, err = preTokenizers.parse(c.PreTokenizer); err != nil {
		return nil, err
	}
	if p.post, err = postProcessors.parse(c.PostProcessor); err != nil {
		return nil, err
	}
	if p.decode, err = decoders.parse(c.Decoder); err != nil {
		return nil, err
	}
	if p.limits, err = parseLimits(c.Truncation, c.Padding); err != nil {
		return nil, err
	}
	list, err := parseAdded(c.AddedTokens)
	if err != nil {
		return nil, err
	}
	return p.finish(list, digest(raw))
}

// finish builds what depends on the whole: added tokens and the id table.
func (p *pipeline) finish(list []addedToken, sum string) (*pipeline, error) {
	vocab := p.model.vocabulary()
	added, err := newAddedTable(list, vocab, p.normalize)
	if err != nil {
		return nil, err
	}
	p.added, p.digest, p.size = added, sum, len(vocab)
	if b, ok := p.model.(*bpe); ok {
		p.names = b.names
	} else {
		p.names = namesOf(vocab)
	}
	for _, a := range added.byID {
		if _, known := vocab[a.Content]; !known {
			p.size++
		}
	}
	p.special = p.specialIDs(nil)
	return p, nil
}

// namesOf lists a vocabulary by id, "" for ids that nothing has. Of two tokens
// with one id it takes the same one on every run.
func namesOf(vocab map[string]int32) []string {
	top := int32(-1)
	for _, id := range vocab {
		top = max(top, id)
	}
	names := make([]string, top+1)
	for token, id := range vocab {
		if old := names[id]; old == "" || token < old {
			names[id] = token
		}
	}
	return names
}

func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// roles are the config keys of special tokens with the names tried where no
// config says anything.
var roles = []struct {
	key   string
	names []string
}{
	{"pad_token", []string{"[PAD]", "<pad>"}}, {"unk_token", []string{"[UNK]", "<unk>"}}, {"cls_token", []string{"[CLS]", "<s>"}},
	{"sep_token", []string{"[SEP]", "</s>"}}, {"mask_token", []string{"[MASK]", "<mask>"}},
	{"bos_token", []string{"<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>"}},
	{"eos_token", []string{"</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>"}},
}

func (p *pipeline) specialIDs(config map[string]string) SpecialIDs {
	var ids [7]int32
	for i, role := range roles {
		ids[i] = -1
		names := role.names
		if name, ok := config[role.key]; ok {
			names = []string{name}
		}
		for _, name := range names {
			if id, ok := p.ID(name); ok {
				ids[i] = id
				break
			}
		}
	}
	return SpecialIDs{Pad: ids[0], Unk: ids[1], CLS: ids[2], Sep: ids[3], Mask: ids[4], BOS: ids[5], EOS: ids[6]}
}

func (p *pipeline) ID(token string) (int32, bool) {
	if id, ok := p.added.ids[token]; ok {
		return id, true
	}
	id, ok := p.model.vocabulary()[token]
	return id, ok
}

func (p *pipeline) Token(id int32) (string, bool) {
	if a, ok := p.added.byID[id]; ok {
		return a.Content, true
	}
	if id < 0 || int(id) >= len(p.names) || p.names[id] == "" {
		return "", false
	}
	return p.names[id], true
}

// named applies the roles of special_tokens_map.json and tokenizer_config.json.
func (p *pipeline) named(fsys fs.FS) *pipeline {
	config := map[string]string{}
	for _, file := range []string{"special_tokens_map.json", "tokenizer_config.json"} {
		raw, err := readFile(fsys, file)
		if err != nil {
			continue // both files are optional
		}
		var keys map[string]json.RawMessage
		if json.Unmarshal(raw, &keys) != nil {
			continue
		}
		for _, role := range roles {
			if name, ok := tokenName(keys[role.key]); ok {
				config[role.key] = name
			}
		}
	}
	p.special = p.specialIDs(config)
	return p
}

// tokenName reads "[CLS]" or {"content": "[CLS]", ...}.
func tokenName(raw json.RawMessage) (string, bool) {
	var name string
	if json.Unmarshal(raw, &name) == nil && name != "" {
		return name, true
	}
	var object struct{ Content string }
	if json.Unmarshal(raw, &object) == nil && object.Content != "" {
		return object.Content, true
	}
	return "", false
}

// legacyConfig is the part of tokenizer_config.json that BertTokenizer reads.
type legacyConfig struct {
	Class        string `json:"tokenizer_class"`
	Lower        *bool  `json:"do_lower_case"`
	StripAccents *bool  `json:"strip_accents"`
	Chinese      *bool  `json:"tokenize_chinese_chars"`
	Added        map[string]struct {
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	} `json:"added_tokens_decoder"`
}

// loadVocabulary builds what transformers' converter builds for BertTokenizer
// from vocab.txt and tokenizer_config.json.
func loadVocabulary(fsys fs.FS) (*pipeline, error) {
	raw, err := readFile(fsys, "vocab.txt")
	if err != nil {
		return nil, err
	}
	vocab, err := parseVocabulary(raw)
	if err != nil {
		return nil, err
	}
	var c legacyConfig
	config, err := readFile(fsys, "tokenizer_config.json")
	if err == nil {
		if err := decodeJSON(config, &c); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p := &pipeline{pre: bertPreTokenizer{}, decode: wordPieceDecoder{prefix: "##", cleanup: true},
		normalize: newBertNormalizer(true, orTrue(c.Chinese), c.StripAccents, orTrue(c.Lower))}
	if p.model, err = newWordPiece(vocab, "[UNK]", "##", 100); err != nil {
		return nil, err
	}
	cls, okC := vocab["[CLS]"]
	sep, okS := vocab["[SEP]"]
	if !okC || !okS {
		return nil, fmt.Errorf("%w: the vocabulary lacks [CLS] or [SEP]", ErrFormat)
	}
	p.post = bertTemplate("[CLS]", cls, "[SEP]", sep)
	list, err := c.added(vocab)
	if err != nil {
		return nil, err
	}
	if p, err = p.finish(list, digest(raw, config)); err != nil {
		return nil, err
	}
	return p.named(fsys), nil
}

// parseVocabulary gives every line the id of its place.
func parseVocabulary(raw []byte) (map[string]int32, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: not valid UTF-8", ErrFormat)
	}
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	vocab := make(map[string]int64, len(lines))
	for i, line := range lines {
		vocab[strings.TrimSuffix(line, "\r")] = int64(i)
	}
	return checkVocabulary(vocab)
}

// added lists the special tokens, with what added_tokens_decoder says of them.
func (c *legacyConfig) added(vocab map[string]int32) ([]addedToken, error) {
	var list []addedToken
	for _, name := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if id, ok := vocab[name]; ok {
			list = append(list, addedToken{ID: int64(id), Content: name, Special: true})
		}
	}
	for key, a := range c.Added {
		var id int64
		if _, err := fmt.Sscanf(key, "%d", &id); err != nil {
			return nil, fmt.Errorf("%w: added_tokens_decoder has a key that is not a number", ErrFormat)
		}
		list = append(list, addedToken{ID: id, Content: a.Content, SingleWord: a.SingleWord, LStrip: a.LStrip, RStrip: a.RStrip,
			Normalized: a.Normalized, Special: a.Special})
	}
	return list, nil
}
