package inference

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"
)

func TestUnusableInputs(t *testing.T) {
	text := openPretrained(t, "sentiment-minilm")
	digits := openPretrained(t, "digits-resnet")
	bad := "\xff\xfe"
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 28, 28))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		m    *Model
		in   Input
		want string
	}{
		"empty":            {text, Input{}, "the text is empty"},
		"blank":            {text, Input{Text: " \n\t"}, "the text is empty"},
		"nothing readable": {text, Input{Text: "\u0000\u200d"}, "nothing the model can read"},
		"not UTF-8":        {text, Input{Text: "a\xffb"}, "not valid UTF-8"},
		"pair not UTF-8":   {text, Input{Text: "a", Pair: &bad}, "not valid UTF-8"},
		"huge":             {text, Input{Text: strings.Repeat("a ", MaxTextBytes)}, "the limit is"},
		"picture for text": {text, Input{Image: picture.Bytes()}, "reads text"},
		"text for picture": {digits, Input{Text: "seven"}, "reads pictures"},
		"no picture":       {digits, Input{Image: []byte("GIF89a")}, ""},
		"cut picture":      {digits, Input{Image: picture.Bytes()[:40]}, ""},
	} {
		_, err := c.m.Predict(context.Background(), c.in)
		if !errors.Is(err, ErrInput) && !(name == "no picture" && errors.Is(err, ErrUnsupported)) {
			t.Errorf("%s: %v", name, err)
		} else if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: message %q", name, err)
		}
	}
}

func TestUnusableRuns(t *testing.T) {
	m := openPretrained(t, "sentiment-minilm")
	ids := []int32{2, 100, 3}
	tap := m.Info().Taps.Embeddings
	one := &Target{Index: []int{1}}
	for name, c := range map[string]struct {
		batch []Example
		spec  RunSpec
	}{
		"no batch":          {nil, RunSpec{}},
		"no tokens":         {[]Example{{}}, RunSpec{}},
		"too many tokens":   {[]Example{{IDs: make([]int32, 513)}}, RunSpec{}},
		"negative id":       {[]Example{{IDs: []int32{-1}}}, RunSpec{}},
		"id too large":      {[]Example{{IDs: []int32{1 << 30}}}, RunSpec{}},
		"type too large":    {[]Example{{IDs: ids, Types: []int32{0, 7, 0}}}, RunSpec{}},
		"types too few":     {[]Example{{IDs: ids, Types: []int32{0}}}, RunSpec{}},
		"embeddings misfit": {[]Example{{IDs: ids, Embeddings: make([]float32, 385)}}, RunSpec{}},
		"unknown tap":       {[]Example{{IDs: ids}}, RunSpec{Taps: []string{"hidden_states.99"}}},
		"unknown wrt":       {[]Example{{IDs: ids}}, RunSpec{Target: one, Wrt: []string{"pixels"}}},
		"wrt ids":           {[]Example{{IDs: ids}}, RunSpec{Target: one, Wrt: []string{"input_ids"}}},
		"no target":         {[]Example{{IDs: ids}}, RunSpec{Wrt: []string{tap}}},
		"class too large":   {[]Example{{IDs: ids}}, RunSpec{Target: &Target{Index: []int{3}}}},
		"target rank":       {[]Example{{IDs: ids}}, RunSpec{Target: &Target{Index: []int{0, 1}}}},
		"quantity":          {[]Example{{IDs: ids}}, RunSpec{Target: &Target{Index: []int{0}, Quantity: "loss"}}},
		"diff of one":       {[]Example{{IDs: ids}}, RunSpec{Target: &Target{Index: []int{0}, Quantity: "diff"}}},
		"patch misfit":      {[]Example{{IDs: ids}}, RunSpec{Patch: map[string]Tensor{tap: {Shape: []int{2, 384}, Data: make([]float32, 768)}}}},
		"pixels":            {[]Example{{Pixels: []float32{1}, Shape: []int{1, 1, 1}}}, RunSpec{}},
	} {
		if _, err := m.Run(context.Background(), c.batch, c.spec); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Run(ctx, []Example{{IDs: ids}}, RunSpec{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestLongText: 100,000 characters are windowed with overlap; every token is seen, nothing is cut.
func TestLongText(t *testing.T) {
	m := openPretrained(t, "sentiment-minilm")
	text := strings.Repeat("The screen is gorgeous, but the battery dies by noon. ", 1852)[:100_000]
	e, err := m.Encode(context.Background(), Input{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Windows) < 40 {
		t.Fatalf("%d windows", len(e.Windows))
	}
	next, end := 0, 0
	for i, w := range e.Windows {
		if len(w.Example.IDs) > m.Info().MaxTokens || len(w.Example.IDs) != len(w.Tokens) {
			t.Fatalf("window %d has %d tokens", i, len(w.Example.IDs))
		}
		if first, last := w.Tokens[0], w.Tokens[len(w.Tokens)-1]; !first.Special || !last.Special {
			t.Fatalf("window %d lacks [CLS] or [SEP]", i)
		}
		if w.First > next || i > 0 && w.First == next {
			t.Fatalf("window %d starts at token %d, %d were seen: no overlap", i, w.First, next)
		}
		for j, tok := range w.Tokens[1 : len(w.Tokens)-1] {
			if tok.Index != w.First+j {
				t.Fatalf("window %d: token %d has number %d", i, w.First+j, tok.Index)
			}
			end = max(end, tok.End)
		}
		next = w.First + len(w.Tokens) - 2
	}
	if end != utf8.RuneCountInString(strings.TrimRight(text, " ")) {
		t.Errorf("the windows reach character %d of %d", end, utf8.RuneCountInString(text))
	}
	at := time.Now()
	p, err := m.Predict(context.Background(), Input{Text: text[:8000]})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("8,000 characters, %d windows: %v", len(p.Windows), time.Since(at))
	if len(p.Windows) < 3 || len(p.Labels) != 3 || p.Windows[0].Start != 0 {
		t.Errorf("%d windows, %d labels", len(p.Windows), len(p.Labels))
	}
	for i, tok := range p.Tokens {
		if tok.Index != i {
			t.Fatalf("token %d has number %d", i, tok.Index)
		}
	}
}

// TestLongPair: the longer of two texts is divided, the other stands in every window; two long texts are refused.
func TestLongPair(t *testing.T) {
	m := openPretrained(t, "sentiment-minilm")
	long := strings.Repeat("the battery dies by noon. ", 200)
	for _, second := range []bool{false, true} {
		short := "A short question?"
		in := Input{Text: long, Pair: &short}
		if second {
			in = Input{Text: short, Pair: &long}
		}
		p, err := m.Predict(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Windows) < 2 || p.Windows[0].Pair != second || p.Windows[0].Start != 0 || p.Windows[len(p.Windows)-1].End != len(long)-1 {
			t.Errorf("second %v: windows %+v", second, p.Windows)
		}
		for i, tok := range p.Tokens {
			if tok.Index != i {
				t.Fatalf("second %v: token %d has number %d", second, i, tok.Index)
			}
		}
	}
	if _, err := m.Predict(context.Background(), Input{Text: long, Pair: &long}); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "both texts") {
		t.Errorf("two long texts: %v", err)
	}
}

// TestShippedModels compares the whole way, text or picture to probabilities, with the golden files beside the models.
func TestShippedModels(t *testing.T) {
	for _, name := range []string{"sentiment-minilm", "digits-resnet"} {
		m := openPretrained(t, name)
		raw, err := os.ReadFile("pretrained/" + name + "/golden.json")
		if err != nil {
			t.Fatal(err)
		}
		var g struct {
			Cases []struct {
				Name, Text, File string
				IDs              []int32   `json:"input_ids"`
				Logits           []float64 `json:"logits_float64"`
			}
		}
		if err := json.Unmarshal(raw, &g); err != nil || len(g.Cases) == 0 {
			t.Fatalf("%d cases, %v", len(g.Cases), err)
		}
		for _, c := range g.Cases {
			in := Input{Text: c.Text}
			if c.File != "" {
				if in.Image, err = os.ReadFile("pretrained/" + name + "/" + c.File); err != nil {
					t.Error(err)
					continue
				}
			} else if strings.TrimSpace(c.Text) == "" {
				continue // refused as empty, see TestUnusableInputs
			}
			p, err := m.Predict(context.Background(), in)
			if err != nil {
				t.Errorf("%s/%s: %v", name, c.Name, err)
				continue
			}
			for i, tok := range p.Tokens {
				if i >= len(c.IDs) || tok.ID != c.IDs[i] {
					t.Errorf("%s/%s: token %d is %d", name, c.Name, i, tok.ID)
				}
			}
			for _, l := range p.Labels {
				if want := c.Logits[l.Index]; math.Abs(l.Logit-want) > 1e-5+1e-5*math.Abs(want) {
					t.Errorf("%s/%s: %s has %g, expected %g", name, c.Name, l.Label, l.Logit, want)
				}
			}
		}
	}
}

// bent copies a model folder with some files replaced; nil removes one.
func bent(t *testing.T, dir string, files map[string][]byte) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(os.DirFS(dir), p)
		out[p] = &fstest.MapFile{Data: raw}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range files {
		if raw == nil {
			delete(out, name)
		} else {
			out[name] = &fstest.MapFile{Data: raw}
		}
	}
	return out
}

// editWeights changes the header of a safetensors file textually; old and new have one length.
func editWeights(t *testing.T, dir, old, new string) []byte {
	t.Helper()
	raw, err := os.ReadFile(dir + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(raw)
	head := bytes.Replace(raw[8:8+n], []byte(old), []byte(new), 1)
	if len(old) != len(new) || bytes.Equal(head, raw[8:8+n]) {
		t.Fatalf("%q is not in the header", old)
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, n), head...), raw[8+n:]...)
}

func TestBrokenCheckpoints(t *testing.T) {
	const dir = "conformance/testdata/golden/family/bert-sequence"
	config, err := os.ReadFile(dir + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) map[string][]byte {
		if !bytes.Contains(config, []byte(old)) {
			t.Fatalf("%q is not in the config", old)
		}
		return map[string][]byte{"config.json": bytes.Replace(config, []byte(old), []byte(new), 1)}
	}
	for name, c := range map[string]struct {
		files map[string][]byte
		kind  error
		want  string
	}{
		"missing tensor": {map[string][]byte{"model.safetensors": editWeights(t, dir, "bert.pooler.dense.bias", "bert.pooler.dense.bia_")},
			ErrModel, "bert.pooler.dense.bias is missing; its shape should be [33]"},
		"wrong shape":      {edit(`"intermediate_size": 57`, `"intermediate_size": 58`), ErrModel, "intermediate.dense.weight has shape [57 33], expected [58 33]"},
		"labels":           {edit(`"2": "mixed"`, `"2": "mixed", "3": "new"`), ErrModel, "classifier.weight has shape [3 33], expected [4 33]"},
		"header 2^63":      {map[string][]byte{"model.safetensors": append(binary.LittleEndian.AppendUint64(nil, 1<<63), "{}"...)}, ErrModel, "claims 9223372036854775808 bytes"},
		"no config":        {map[string][]byte{"config.json": nil}, ErrModel, "no config.json"},
		"broken config":    {map[string][]byte{"config.json": []byte(`{"model_type":`)}, ErrModel, "config.json"},
		"other family":     {edit(`"model_type": "bert"`, `"model_type": "reformer"`), ErrUnsupported, `"reformer"`},
		"heads":            {edit(`"num_attention_heads": 3`, `"num_attention_heads": 4`), ErrModel, "does not divide"},
		"negative layers":  {edit(`"num_hidden_layers": 3`, `"num_hidden_layers": -3`), ErrModel, "num_hidden_layers is -3"},
		"activation":       {edit(`"hidden_act": "gelu"`, `"hidden_act": "mish"`), ErrUnsupported, `"mish"`},
		"head":             {edit("BertForSequenceClassification", "BertForMultipleChoice"), ErrUnsupported, "BertForMultipleChoice"},
		"pickle":           {map[string][]byte{"model.safetensors": nil, "pytorch_model.bin": []byte("PK")}, ErrUnsupported, "pickled checkpoint"},
		"no weights":       {map[string][]byte{"model.safetensors": nil}, ErrModel, "neither model.safetensors"},
		"broken tokenizer": {map[string][]byte{"tokenizer.json": []byte("{}")}, ErrModel, "tokenizer.json"},
	} {
		_, err := OpenFS(bent(t, dir, c.files), "test")
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open("no such folder"); !errors.Is(err, ErrModel) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := OpenFS(bent(t, dir, nil), "test"); err != nil {
		t.Errorf("the copy itself: %v", err)
	}
	bare, err := OpenFS(bent(t, dir, map[string][]byte{"tokenizer.json": nil, "vocab.txt": nil}), "test")
	if err != nil {
		t.Fatalf("without a tokenizer: %v", err)
	}
	if _, err := bare.Predict(context.Background(), Input{Text: "a"}); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("text without a tokenizer: %v", err)
	}
}

// TestDigest: the model's digest covers every file.
func TestDigest(t *testing.T) {
	const dir = "conformance/testdata/golden/family/bert-sequence"
	a, err := OpenFS(bent(t, dir, nil), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenFS(bent(t, dir, map[string][]byte{"MODEL_CARD.md": []byte("# Card")}), "b")
	if err != nil {
		t.Fatal(err)
	}
	if a.Info().Digest == b.Info().Digest || len(a.Info().Digest) != 64 || b.Info().Card != "# Card" {
		t.Errorf("digests %s and %s, card %q", a.Info().Digest, b.Info().Digest, b.Info().Card)
	}
}
