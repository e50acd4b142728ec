package tokenizer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The rows under testdata/spm were recorded from sentencepiece 0.2.3: encode(text) of models trained on a few lines.
func TestBareModelsEqualSentencePiece(t *testing.T) {
	dirs, err := filepath.Glob("testdata/spm/*")
	if err != nil || len(dirs) != 3 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		tok := loadDir(t, dir)
		bad := 0
		for _, r := range goldenRows(t, dir) {
			e, err := tok.Encode(r.Text, nil, true)
			if err != nil {
				t.Fatal(err)
			}
			var ids []int32
			chars := len([]rune(r.Text))
			for _, x := range e.Tokens {
				ids = append(ids, x.ID)
				if x.Start < 0 || x.End <= x.Start || x.End > chars {
					t.Errorf("%s %q: %+v lies outside the text", dir, r.Text, x)
				}
			}
			if !slices.Equal(ids, r.IDs) {
				if bad++; bad < 5 {
					t.Errorf("%s %q: %v, want %v", dir, r.Text, ids, r.IDs)
				}
			}
		}
	}
}

// jsonMetadata shows a tokenizer.json as a GGUF file would describe it.
type jsonMetadata map[string]any

func get[T any](m jsonMetadata, key string) (T, bool) {
	v, ok := m[key].(T)
	return v, ok
}

func (m jsonMetadata) String(key string) (string, bool)    { return get[string](m, key) }
func (m jsonMetadata) Bool(key string) (bool, bool)        { return get[bool](m, key) }
func (m jsonMetadata) Int(key string) (int64, bool)        { return get[int64](m, key) }
func (m jsonMetadata) Strings(key string) ([]string, bool) { return get[[]string](m, key) }
func (m jsonMetadata) Ints(key string) ([]int64, bool)     { return get[[]int64](m, key) }
func (m jsonMetadata) Floats(key string) ([]float64, bool) { return get[[]float64](m, key) }

func metadataOf(t testing.TB, dir, pre string) jsonMetadata {
	t.Helper()
	raw, err := os.ReadFile(dir + "/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Model struct {
			Vocab  map[string]int
			Merges []json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	tokens, merges := make([]string, len(c.Model.Vocab)), make([]string, len(c.Model.Merges))
	for s, id := range c.Model.Vocab {
		tokens[id] = s
	}
	for i, raw := range c.Model.Merges {
		var m mergePair
		if err := m.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		merges[i] = m[0] + " " + m[1]
	}
	return jsonMetadata{"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": merges,
		"tokenizer.ggml.add_bos_token": false}
}

// The metadata of a GGUF file and the tokenizer.json it was made from must give the same ids where nothing was added.
func TestMetadataAgreesWithFastFile(t *testing.T) {
	for dir, pre := range map[string]string{golden + "/gpt2-bytelevel-bpe": "gpt-2", golden + "/llama3-split-bpe": "llama-bpe"} {
		meta, err := FromMetadata(metadataOf(t, dir, pre))
		if err != nil {
			t.Fatal(err)
		}
		fast := loadDir(t, dir).(*pipeline)
		plain := *fast
		if plain.added, err = newAddedTable(nil, plain.model.vocabulary(), nil); err != nil {
			t.Fatal(err)
		}
		for _, r := range goldenRows(t, dir) {
			a, errA := meta.Encode(r.Text, nil, true)
			b, errB := plain.Encode(r.Text, nil, false)
			if errA != nil || errB != nil || len(a.Tokens) != len(b.Tokens) {
				t.Fatalf("%q: %v %v", r.Text, errA, errB)
			}
			var ids []int32
			for i := range a.Tokens {
				if a.Tokens[i].ID != b.Tokens[i].ID {
					t.Fatalf("%s %q: %+v, want %+v", dir, r.Text, a.Tokens[i], b.Tokens[i])
				}
				ids = append(ids, a.Tokens[i].ID)
			}
			if got := meta.Decode(ids, false); got != r.Text {
				t.Fatalf("%q came back as %q", r.Text, got)
			}
		}
	}
}

// Splitting one digit at a time, three at a time, and beginnings as the kind asks for them.
func TestMetadataKinds(t *testing.T) {
	base := metadataOf(t, golden+"/gpt2-bytelevel-bpe", "smollm")
	texts := func(m jsonMetadata, s string) (out []string) {
		tok, err := FromMetadata(m)
		if err != nil {
			t.Fatal(err)
		}
		e, err := tok.Encode(s, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range e.Tokens {
			out = append(out, x.Text)
		}
		return out
	}
	if got := texts(base, "12 3"); !slices.Equal(got, []string{"1", "2", "Ġ", "3"}) {
		t.Errorf("smollm: %q", got)
	}
	base["tokenizer.ggml.pre"] = "default"
	if got := texts(base, "a-b"); !slices.Equal(got, []string{"a", "-", "b"}) {
		t.Errorf("default: %q", got)
	}
	spm := jsonMetadata{"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": []string{"<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab", "<tool>"},
		"tokenizer.ggml.scores": []float64{0, 0, 0, -5, -6, -7, -1, -2, 0}, "tokenizer.ggml.token_type": []int64{2, 3, 3, 1, 1, 1, 1, 1, 4}}
	if got := texts(spm, "ab<tool>ba€"); !slices.Equal(got, []string{"<s>", "▁ab", "<tool>", "▁", "b", "a", "€"}) {
		t.Errorf("llama: %q", got)
	}
	spm["tokenizer.ggml.add_space_prefix"], spm["tokenizer.ggml.add_bos_token"], spm["tokenizer.ggml.add_eos_token"] = false, false, true
	if got := texts(spm, "ab"); !slices.Equal(got, []string{"ab", "</s>"}) {
		t.Errorf("llama without prefix: %q", got)
	}
}

func TestHostileMetadataIsRefused(t *testing.T) {
	good := jsonMetadata{"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": []string{"<unk>", "<s>"}, "tokenizer.ggml.scores": []float64{0, 0}}
	for name, c := range map[string]struct {
		key  string
		v    any
		want error
	}{
		"other model": {"tokenizer.ggml.model", "bert", ErrUnsupported}, "no model": {"tokenizer.ggml.model", nil, ErrUnsupported},
		"no tokens": {"tokenizer.ggml.tokens", nil, ErrFormat}, "few scores": {"tokenizer.ggml.scores", []float64{0}, ErrFormat},
		"a score that is no number": {"tokenizer.ggml.scores", []float64{0, math.NaN()}, ErrFormat},
		"types":                     {"tokenizer.ggml.token_type", []int64{1}, ErrFormat}, "unknown outside": {"tokenizer.ggml.unknown_token_id", int64(7), ErrFormat},
		"bos outside": {"tokenizer.ggml.bos_token_id", int64(-4), ErrFormat},
	} {
		m := jsonMetadata{}
		for k, v := range good {
			m[k] = v
		}
		m[c.key] = c.v
		if _, err := FromMetadata(m); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	bytePair := metadataOf(t, golden+"/gpt2-bytelevel-bpe", "nobody-knows")
	if _, err := FromMetadata(bytePair); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown pattern: %v", err)
	}
	bytePair["tokenizer.ggml.pre"], bytePair["tokenizer.ggml.merges"] = "gpt-2", []string{"onlyone"}
	if _, err := FromMetadata(bytePair); !errors.Is(err, ErrFormat) {
		t.Errorf("broken merge: %v", err)
	}
}

// FuzzSPM: any bytes are a model that encodes, or an error.
func FuzzSPM(f *testing.F) {
	small := []byte("\x0a\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02\x0a\x0a\n\x01a\x15\x00\x00\x80\xbf\x18\x01\x12\x02\x18\x02")
	f.Add(small)
	f.Add([]byte("\x0a\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02\x1a\x0c\x12\x0a\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tok, err := Load(fstest.MapFS{"tokenizer.model": {Data: raw}, "tokenizer_config.json": {Data: []byte(`{"add_bos_token":false}`)}})
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		if _, err := tok.Encode("a  bc é中\u200b", nil, true); err != nil {
			t.Fatal(err)
		}
	})
}

// XLM-RoBERTa's bare model against the fast file made from the same pieces, on the golden rows whose text the two
// normalisers read alike: the fast one takes grapheme clusters whole and knows added tokens.
func TestFairseqModel(t *testing.T) {
	fast := loadDir(t, golden+"/xlmr-unigram").(*pipeline)
	u := fast.model.(*unigram)
	names := namesOf(u.vocab)
	field := func(out []byte, number int, raw []byte) []byte {
		out = binary.AppendUvarint(out, uint64(number)<<3|2)
		out = binary.AppendUvarint(out, uint64(len(raw)))
		return append(out, raw...)
	}
	piece := func(text string, score float64, kind uint64) []byte {
		p := field(nil, 1, []byte(text))
		p = binary.LittleEndian.AppendUint32(append(p, 2<<3|5), math.Float32bits(float32(score)))
		return binary.AppendUvarint(append(p, 3<<3), kind)
	}
	var raw []byte
	for _, p := range [][]byte{piece("<unk>", 0, pieceUnknown), piece("<s>", 0, pieceControl), piece("</s>", 0, pieceControl)} {
		raw = field(raw, 1, p)
	}
	for id := 4; id < len(names)-1; id++ {
		raw = field(raw, 1, piece(names[id], u.scores[id], pieceNormal))
	}
	bare, err := Load(fstest.MapFS{"sentencepiece.bpe.model": {Data: raw}})
	if err != nil {
		t.Fatal(err)
	}
	if s := bare.Special(); s.Pad != 1 || s.Unk != 3 || s.CLS != 0 || s.Sep != 2 || int(s.Mask) != len(names)-1 {
		t.Errorf("special ids %+v of %d", s, len(names))
	}
	compared := 0
	for _, r := range goldenRows(t, golden+"/xlmr-unigram") {
		plain := strings.IndexFunc(r.Text, func(c rune) bool { return c < ' ' || c > '~' || c == '<' || c == '#' }) < 0
		if !plain || strings.Contains(r.Text, "blip") || r.Pair != nil && strings.IndexFunc(*r.Pair, func(c rune) bool { return c < ' ' || c > '~' || c == '<' }) >= 0 {
			continue
		}
		e, err := bare.Encode(r.Text, r.Pair, r.Special)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int32
		for _, x := range e.Tokens {
			ids = append(ids, x.ID)
		}
		if compared++; !slices.Equal(ids, r.IDs) || bare.Decode(ids, true) != r.DecodedSkip {
			t.Errorf("%q: %v, want %v", r.Text, ids, r.IDs)
		}
	}
	if compared < 40 {
		t.Errorf("only %d rows were compared", compared)
	}
}
