package tokenizer

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// vocab.json with merges.txt and the fast file made from them must agree on every golden row.
func TestMergesAgreeWithFastFile(t *testing.T) {
	for dir, class := range map[string]string{golden + "/gpt2-bytelevel-bpe": "GPT2Tokenizer", golden + "/qwen2-split-bpe": "Qwen2TokenizerFast", "testdata/kinds/roberta": "RobertaTokenizer"} {
		fast := loadDir(t, dir).(*pipeline)
		m := metadataOf(t, dir, "")
		vocab := map[string]int{}
		for id, s := range m["tokenizer.ggml.tokens"].([]string) {
			vocab[s] = id
		}
		decoder := map[string]any{}
		for id, a := range fast.added.byID {
			b, _ := json.Marshal(id)
			decoder[string(b)] = map[string]any{"content": a.Content, "single_word": a.SingleWord, "lstrip": a.LStrip, "rstrip": a.RStrip, "normalized": a.Normalized, "special": a.Special}
		}
		file := func(v any) *fstest.MapFile { raw, _ := json.Marshal(v); return &fstest.MapFile{Data: raw} }
		slow, err := Load(fstest.MapFS{"vocab.json": file(vocab), "merges.txt": {Data: []byte("#version: 0.2\n" + strings.Join(m["tokenizer.ggml.merges"].([]string), "\n") + "\n")},
			"tokenizer_config.json": file(map[string]any{"tokenizer_class": class, "added_tokens_decoder": decoder})})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range goldenRows(t, dir) {
			a, errA := fast.Encode(r.Text, r.Pair, r.Special)
			b, errB := slow.Encode(r.Text, r.Pair, r.Special)
			if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
				t.Fatalf("%s %.100q: %v %v; %v against %v", class, r.Text, errA, errB, b, a)
			}
		}
	}
}

func TestHostileMergesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		vocab, merges, config string
		want                  error
	}{
		"no JSON":       {`{`, "", "{}", ErrFormat},
		"one token":     {`{"a":0}`, "aa", "{}", ErrFormat},
		"unknown token": {`{"a":0}`, "a b", "{}", ErrFormat},
		"not UTF-8":     {`{"a":0}`, "\xff a", "{}", ErrFormat},
		"another class": {`{"a":0}`, "", `{"tokenizer_class":"CLIPTokenizer"}`, ErrUnsupported},
		"no <s>":        {`{"a":0}`, "", `{"tokenizer_class":"RobertaTokenizer"}`, ErrFormat},
	} {
		_, err := Load(fstest.MapFS{"vocab.json": {Data: []byte(c.vocab)}, "merges.txt": {Data: []byte(c.merges)}, "tokenizer_config.json": {Data: []byte(c.config)}})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
