package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const shipped = "../pretrained/sentiment-minilm"

func loadDir(t testing.TB, dir string) Tokenizer {
	t.Helper()
	tok, err := Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// vocab.txt with tokenizer_config.json and tokenizer.json describe one
// tokenizer: both ways in must agree on every golden text.
func TestVocabularyFileAgreesWithFastFile(t *testing.T) {
	fast := loadDir(t, shipped)
	vocab, err := os.ReadFile(shipped + "/vocab.txt")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(shipped + "/tokenizer_config.json")
	if err != nil {
		t.Fatal(err)
	}
	slow, err := Load(fstest.MapFS{"vocab.txt": {Data: vocab}, "tokenizer_config.json": {Data: config}})
	if err != nil {
		t.Fatal(err)
	}
	if fast.VocabSize() != slow.VocabSize() || fast.Special() != slow.Special() {
		t.Fatalf("sizes %d %d, special %v %v", fast.VocabSize(), slow.VocabSize(), fast.Special(), slow.Special())
	}
	for _, r := range goldenRows(t, golden+"/minilm-real") {
		a, errA := fast.Encode(r.Text, r.Pair, r.Special)
		b, errB := slow.Encode(r.Text, r.Pair, r.Special)
		if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%.100q: %v %v; %v against %v", r.Text, errA, errB, a, b)
		}
	}
}

func TestSpecialIDs(t *testing.T) {
	want := SpecialIDs{Pad: 0, Unk: 1, CLS: 2, Sep: 3, Mask: 4, BOS: -1, EOS: -1}
	if got := loadDir(t, shipped).Special(); got != want {
		t.Errorf("special ids %+v, want %+v", got, want)
	}
}

func TestTextIsRefused(t *testing.T) {
	tok := loadDir(t, shipped)
	for name, text := range map[string]string{"invalid UTF-8": "a\xffb", "too long": strings.Repeat("a", MaxTextBytes+1)} {
		if _, err := tok.Encode(text, nil, true); !errors.Is(err, ErrText) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := tok.Encode("fine", &text, true); !errors.Is(err, ErrText) {
			t.Errorf("%s as pair: %v", name, err)
		}
	}
}

// Ten times the text may take about ten times the time, not a hundred.
func TestTimeIsLinear(t *testing.T) {
	tok := loadDir(t, golden+"/bert-wordpiece-uncased")
	for name, unit := range map[string]string{"words": "unbelievable stories, told twice. ", "one word": "a", "marks": "e\u0301\u0328", "added": "<L> <R>", "blanks": " "} {
		measure := func(chars int) time.Duration {
			text := strings.Repeat(unit, chars/len([]rune(unit)))
			best := time.Hour
			for range 3 {
				from := time.Now()
				if _, err := tok.Encode(text, nil, true); err != nil {
					t.Fatal(err)
				}
				best = min(best, time.Since(from))
			}
			return best
		}
		small, large := measure(20_000), measure(200_000)
		if large > 40*small+200*time.Millisecond {
			t.Errorf("%s: 20,000 characters %v, 200,000 characters %v", name, small, large)
		}
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	vocab := `{"[UNK]":0,"[CLS]":1,"[SEP]":2}`
	file := func(model, rest string) string {
		return fmt.Sprintf(`{"model":{"type":"WordPiece","vocab":%s%s}%s}`, vocab, model, rest)
	}
	for name, c := range map[string]struct {
		raw  string
		want error
	}{
		"empty":              {``, ErrFormat},
		"not an object":      {`[1]`, ErrFormat},
		"no model":           {`{}`, ErrFormat},
		"deep":               {strings.Repeat("[", 100_000), ErrFormat},
		"other model":        {`{"model":{"type":"CharBPE","vocab":{}}}`, ErrUnsupported},
		"other normalizer":   {file("", `,"normalizer":{"type":"Other"}`), ErrUnsupported},
		"negative id":        {`{"model":{"type":"WordPiece","vocab":{"[UNK]":-1}}}`, ErrFormat},
		"huge id":            {`{"model":{"type":"WordPiece","vocab":{"[UNK]":9223372036854775807}}}`, ErrFormat},
		"fractional id":      {`{"model":{"type":"WordPiece","vocab":{"[UNK]":0.5}}}`, ErrFormat},
		"no unknown token":   {`{"model":{"type":"WordPiece","vocab":{"a":0}}}`, ErrFormat},
		"long entry":         {`{"model":{"type":"WordPiece","vocab":{"[UNK]":0,"` + strings.Repeat("x", 2000) + `":1}}}`, ErrFormat},
		"negative word":      {file(`,"max_input_chars_per_word":-5`, ""), ErrFormat},
		"added id":           {file("", `,"added_tokens":[{"id":-3,"content":"x"}]`), ErrFormat},
		"added length":       {file("", `,"added_tokens":[{"id":3,"content":"`+strings.Repeat("x", 600)+`"}]`), ErrFormat},
		"undefined special":  {file("", `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[X]","type_id":0}}]}`), ErrFormat},
		"long template":      {file("", `,"post_processor":{"type":"TemplateProcessing","single":[`+strings.Repeat(`{"Sequence":{"id":"A","type_id":0}},`, 99)+`{"Sequence":{"id":"A","type_id":0}}]}`), ErrFormat},
		"sep not a pair":     {file("", `,"post_processor":{"type":"BertProcessing","sep":[1],"cls":["[CLS]",1]}`), ErrFormat},
		"truncation too far": {file("", `,"truncation":{"max_length":99999999999}`), ErrFormat},
		"invalid UTF-8":      {"{\"model\":\"\xff\"}", ErrFormat},
	} {
		_, err := Load(fstest.MapFS{"tokenizer.json": {Data: []byte(c.raw)}})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
	if _, err := Load(fstest.MapFS{}); !errors.Is(err, ErrFormat) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Load(fstest.MapFS{"vocab.json": {}}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("folder of a slow tokenizer: %v", err)
	}
	if _, err := Load(fstest.MapFS{"source.spm": {}}); err == nil {
		t.Error("half a Marian folder was read")
	}
}

// Every registered stage takes its bare type or says what is missing, and
// refuses fields of wrong types; none of them panics.
func TestEveryStageChecksItsFields(t *testing.T) {
	everyKind(t, &normalizers)
	everyKind(t, &preTokenizers)
	everyKind(t, &models)
	everyKind(t, &postProcessors)
	everyKind(t, &decoders)
}

func everyKind[T any](t *testing.T, r *registry[T]) {
	t.Helper()
	if len(r.names()) == 0 {
		t.Errorf("no %s is registered", r.stage)
	}
	for _, name := range r.names() {
		for _, fields := range []string{"", `,"vocab":[1]`, `,"single":7,"sep":7,"prefix":7,"lowercase":7,"vocab":7`, `,"single":[{}],"pair":[null],"cls":[],"sep":{}`} {
			raw := json.RawMessage(`{"type":"` + name + `"` + fields + `}`)
			if _, err := r.parse(raw); err != nil && !errors.Is(err, ErrFormat) {
				t.Errorf("%s %s: %v", r.stage, raw, err)
			}
		}
		if _, err := r.parse(json.RawMessage(`[]`)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: an array was read: %v", r.stage, err)
		}
	}
}

func TestTruncationSplit(t *testing.T) {
	for _, c := range []struct {
		strategy                 string
		a, b, room, wantA, wantB int
	}{
		{"LongestFirst", 10, 10, 30, 10, 10}, {"LongestFirst", 30, 4, 20, 16, 4}, {"LongestFirst", 4, 30, 20, 4, 16},
		{"LongestFirst", 30, 30, 21, 10, 11}, {"LongestFirst", 31, 30, 21, 11, 10}, {"OnlyFirst", 30, 4, 20, 16, 4}, {"OnlySecond", 4, 30, 20, 4, 16},
	} {
		x := truncation{Strategy: c.strategy}
		if a, b := x.split(c.a, c.b, true, c.room); a != c.wantA || b != c.wantB {
			t.Errorf("%+v: %d %d", c, a, b)
		}
	}
}

func TestRegistryRefusesRepeats(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second WordPiece was accepted")
		}
	}()
	models.register("WordPiece", func(json.RawMessage) (model, error) { return nil, nil })
}

// FuzzEncode: any text gives ordered offsets inside the text and ids that decode.
func FuzzEncode(f *testing.F) {
	tok := loadDir(f, golden+"/bert-wordpiece-uncased")
	for i, r := range goldenRows(f, golden+"/bert-wordpiece-uncased") {
		if i%4 == 0 && len(r.Text) < 500 {
			f.Add(r.Text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := tok.Encode(text, nil, true)
		if err != nil {
			if !errors.Is(err, ErrText) {
				t.Fatal(err)
			}
			return
		}
		n := len([]rune(text))
		ids := make([]int32, 0, len(e.Tokens))
		at := 0
		for _, tk := range e.Tokens {
			if tk.Special {
				continue
			}
			if tk.Start < 0 || tk.End < tk.Start || tk.End > n || tk.Start < at {
				t.Fatalf("token %+v of a text of %d characters, after %d", tk, n, at)
			}
			at = tk.Start
			ids = append(ids, tk.ID)
		}
		tok.Decode(ids, true)
	})
}

// FuzzLoad: no tokenizer.json makes Load or a short Encode fail to return.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"model":{"type":"WordPiece","vocab":{"[UNK]":0,"a":1}},"added_tokens":[{"id":2,"content":"b","lstrip":true}]}`))
	f.Add([]byte(`{"model":{"type":"WordPiece","vocab":{"[UNK]":0}},"post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]}}`))
	f.Add([]byte(`{"model":{"type":"WordPiece","vocab":{"[UNK]":0}},"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tok, err := Load(fstest.MapFS{"tokenizer.json": {Data: raw}})
		if err != nil {
			return
		}
		if _, err := tok.Encode("a b, c\u0301 中", nil, true); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkEncode100kCharacters(b *testing.B) {
	tok := loadDir(b, shipped)
	text := strings.Repeat("The ferry left the harbour before sunrise, and nobody waved. ", 1640)
	for b.Loop() {
		if _, err := tok.Encode(text, nil, true); err != nil {
			b.Fatal(err)
		}
	}
}
