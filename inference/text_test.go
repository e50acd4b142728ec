package inference

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"vitrine/inference/generate"
	"vitrine/inference/template"
)

// pieces are a byte-level vocabulary: three special tokens, letters, a few words, and the four bytes of an emoji.
func pieces() []string {
	list := []string{"<s>", "<pad>", "</s>"}
	for c := 'a'; c <= 'z'; c++ {
		list = append(list, string(c))
	}
	return append(list, "Ġ", ".", "Ġthe", "Ġcat", "Ċ", "ð", "Ł", "ĺ", "Ģ", "##", "#", "__fr__", ">>de<<")
}

// speaking is a golden checkpoint with a small tokenizer; texts end with </s> where the model has an encoder.
func speaking(t *testing.T, dir string, replace ...string) *Model {
	t.Helper()
	fsys := fstest.MapFS{}
	root := os.DirFS("conformance/testdata/golden/family/" + dir)
	for _, name := range []string{"config.json", "model.safetensors", "generation_config.json"} {
		raw, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "config.json" {
			raw = []byte(strings.NewReplacer(replace...).Replace(string(raw)))
		}
		fsys[name] = &fstest.MapFile{Data: raw}
	}
	vocab := map[string]int{}
	var added []map[string]any
	for i, p := range pieces() {
		vocab[p] = i
		if i < 3 || strings.Contains(p, "__") || strings.Contains(p, ">>") {
			added = append(added, map[string]any{"id": i, "content": p, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
		}
	}
	file := map[string]any{"added_tokens": added, "pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
		"decoder": map[string]any{"type": "ByteLevel"}, "model": map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}}}
	if dir != "gpt2" {
		file["post_processor"] = map[string]any{"type": "TemplateProcessing", "single": []any{map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}},
			map[string]any{"SpecialToken": map[string]any{"id": "</s>", "type_id": 0}}}, "pair": []any{map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}},
			map[string]any{"Sequence": map[string]any{"id": "B", "type_id": 0}}}, "special_tokens": map[string]any{"</s>": map[string]any{"id": "</s>", "ids": []int{2}, "tokens": []string{"</s>"}}}}
	}
	raw, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	fsys["tokenizer.json"] = &fstest.MapFile{Data: raw}
	m, err := OpenFS(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// saying makes options that leave only the pieces given, one after another.
func saying(list ...string) generate.Options {
	all := pieces()
	return generate.Options{MaxNew: len(list), Allow: func(written []int32, x []float32) {
		keep := slices.Index(all, list[min(len(written), len(list)-1)])
		for i := range x {
			if i != keep {
				x[i] = float32(-1e30)
			}
		}
	}}
}

// TestStopTexts: a stop that spans tokens ends the text before it, what could have begun one is handed on when it did not, and a character of several tokens
// comes whole.
func TestStopTexts(t *testing.T) {
	m := speaking(t, "gpt2")
	for name, c := range map[string]struct {
		say   []string
		stop  []string
		text  string
		parts []string
		end   string
	}{
		"none":            {[]string{"a", "Ġcat", "."}, nil, "a cat.", []string{"a", " cat", "."}, "length"},
		"end id":          {[]string{"a", "</s>", "b"}, nil, "a", []string{"a", ""}, "stop"},
		"across tokens":   {[]string{"a", "#", "##", "b"}, []string{"##"}, "a", []string{"a", "", ""}, "stop"},
		"inside a token":  {[]string{"a", "Ġcat", "b"}, []string{"ca"}, "a ", []string{"a", " "}, "stop"},
		"almost":          {[]string{"a", "#", "b", "."}, []string{"##"}, "a#b.", []string{"a", "", "#b", "."}, "length"},
		"almost, at end":  {[]string{"a", "#"}, []string{"##"}, "a#", []string{"a", "", "#"}, "length"},
		"first complete":  {[]string{"a", "b", "c", "d"}, []string{"bcd", "c"}, "ab", []string{"a", "", "b"}, "stop"},
		"emoji":           {[]string{"a", "ð", "Ł", "ĺ", "Ģ", "b"}, nil, "a😀b", []string{"a", "", "", "", "😀", "b"}, "length"},
		"emoji, cut":      {[]string{"a", "ð", "Ł"}, nil, "a\uFFFD", []string{"a", "", "", "\uFFFD"}, "length"},
		"stop in a emoji": {[]string{"ð", "Ł", "ĺ", "Ģ", "b"}, []string{"😀"}, "", []string{"", "", "", ""}, "stop"},
		"line":            {[]string{"a", "Ċ", "b"}, []string{"\n"}, "a", []string{"a", ""}, "stop"},
	} {
		var parts []string
		got, err := m.Write(context.Background(), Writing{Text: "the", Stop: c.stop, Options: saying(c.say...)}, func(w Written) error {
			parts = append(parts, w.Text)
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a := got.Answers[0]
		if a.Text != c.text || a.End != c.end || !slices.Equal(parts, c.parts) {
			t.Errorf("%s: %q in %q, %s; expected %q in %q, %s", name, a.Text, parts, a.End, c.text, c.parts, c.end)
		}
		whole := ""
		for _, w := range a.Tokens {
			whole += w.Text
		}
		if whole != a.Text {
			t.Errorf("%s: the tokens' texts are %q, the answer %q", name, whole, a.Text)
		}
	}
}

// TestWriteLongDocument: a document longer than the encoder reads is cut at sentences, and every part of it is read.
func TestWriteLongDocument(t *testing.T) {
	m := speaking(t, "bart")
	text := strings.Repeat("the cat. ", 30)
	got, err := m.Write(context.Background(), Writing{Text: text, Options: generate.Options{MaxNew: 4}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Windows) < 2 {
		t.Fatalf("one window for %d characters", len(text))
	}
	end := 0
	for i, w := range got.Windows {
		if w.Start != end || w.Tokens > 48 || i+1 < len(got.Windows) && !strings.HasSuffix(strings.TrimSpace(text[:w.End]), ".") {
			t.Errorf("window %+v", w)
		}
		end = w.End
	}
	windows := map[int]bool{}
	for _, w := range got.Answers[0].Tokens {
		windows[w.Window] = true
	}
	if len(windows) != len(got.Windows) {
		t.Errorf("answers for %d of %d windows", len(windows), len(got.Windows))
	}
	beams, err := m.Write(context.Background(), Writing{Text: "the cat", Options: generate.Options{MaxNew: 4, Beams: 3, Return: 2}}, nil)
	if err != nil || len(beams.Answers) != 2 || beams.Answers[0].Score < beams.Answers[1].Score || len(beams.Windows) != 0 {
		t.Errorf("beams: %+v, %v", beams, err)
	}
}

// TestChat: a conversation is written down by the template, special tokens and all; what the template or the model refuses is an error of the input.
func TestChat(t *testing.T) {
	m := speaking(t, "gpt2")
	talk := []Message{{"user", "the cat"}, {"assistant", "a"}, {"user", "b"}}
	if _, err := m.Write(context.Background(), Writing{Messages: talk}, nil); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "template") {
		t.Errorf("without a template: %v", err)
	}
	parse := func(source string) {
		m.continuation.chat, m.continuation.chatErr = template.Parse(source)
	}
	parse(`{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}#{% endif %}`)
	got, err := m.ChatPrompt(talk, time.Time{})
	if err != nil || got != "the cat</s>a</s>b</s>#" {
		t.Errorf("%q, %v", got, err)
	}
	answer, err := m.Write(context.Background(), Writing{Messages: talk, Options: saying("a", "</s>")}, nil)
	same, err2 := m.Write(context.Background(), Writing{Text: got, Options: saying("a", "</s>")}, nil)
	if err != nil || err2 != nil || answer.Answers[0].Text != "a" || answer.PromptTokens != same.PromptTokens {
		t.Errorf("%+v, %+v, %v, %v", answer, same, err, err2)
	}
	for name, w := range map[string]Writing{
		"refused by the template": {Messages: []Message{{"system", "a"}}},
		"nothing said":            {Messages: []Message{}},
		"both":                    {Text: "a", Messages: talk},
		"not UTF-8":               {Messages: []Message{{"user", "\xff"}}},
	} {
		if _, err := m.Write(context.Background(), w, nil); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	parse(`{% macro`)
	if _, err := m.ChatPrompt(talk, time.Time{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a broken template: %v", err)
	}
	if _, err := speaking(t, "bart").Write(context.Background(), Writing{Messages: talk}, nil); !errors.Is(err, ErrInput) {
		t.Errorf("an encoder-decoder: %v", err)
	}
}

// TestLanguage: the language is written first, or read first where its token says so; an unknown one is refused.
func TestLanguage(t *testing.T) {
	m := speaking(t, "m2m_100")
	got, err := m.Write(context.Background(), Writing{Text: "the cat", Language: "fr", Options: generate.Options{MaxNew: 3}}, nil)
	if err != nil || got.Answers[0].Tokens[0].ID != int32(slices.Index(pieces(), "__fr__")) {
		t.Errorf("%+v, %v", got, err)
	}
	w := Writing{Text: "the cat", Language: "de"}
	if _, out, err := m.prompts(&w); err != nil || out.PromptTokens == 0 || !strings.HasPrefix(w.Prefix, ">>de<< ") {
		t.Errorf("a token before the text: %+v, %v", w, err)
	}
	if _, err := m.Write(context.Background(), Writing{Text: "the cat", Language: "xx"}, nil); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "xx") {
		t.Errorf("unknown: %v", err)
	}
}

// TestWriteRefuses and names what is wrong.
func TestWriteRefuses(t *testing.T) {
	m, b := speaking(t, "gpt2"), speaking(t, "bart")
	ctx := context.Background()
	for name, c := range map[string]struct {
		m *Model
		w Writing
	}{
		"over the context": {m, Writing{Text: strings.Repeat("a", 65)}},
		"not UTF-8":        {m, Writing{Text: "a\xff"}},
		"empty stop":       {m, Writing{Text: "a", Stop: []string{""}}},
		"many stops":       {m, Writing{Text: "a", Stop: make([]string, 17)}},
		"language":         {m, Writing{Text: "a", Language: "fr"}},
		"empty":            {b, Writing{Text: " "}},
		"long prefix":      {b, Writing{Text: strings.Repeat("a", 99), Prefix: strings.Repeat("b", 45)}},
	} {
		if _, err := c.m.Write(ctx, c.w, nil); !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stop := errors.New("enough")
	got, err := m.Write(ctx, Writing{Text: "a", Options: generate.Options{MaxNew: 9}}, func(Written) error { return stop })
	if err != nil || got.Answers[0].End != generate.EndCut || len(got.Answers[0].Tokens) != 1 {
		t.Errorf("a receiver that wants no more: %+v, %v", got, err)
	}
	again, err := m.Write(ctx, Writing{IDs: []int32{3, 4}, Options: generate.Options{MaxNew: 5, Temperature: 1, Seed: 3}}, nil)
	same, err2 := m.Write(ctx, Writing{Text: "ab", Options: generate.Options{MaxNew: 5, Temperature: 1, Seed: 3}}, nil)
	if err != nil || err2 != nil || !reflect.DeepEqual(again, same) || again.PromptTokens != 2 {
		t.Errorf("ids and text: %+v, %+v, %v, %v", again, same, err, err2)
	}
}
