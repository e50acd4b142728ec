package template

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

var now = time.Date(2026, 3, 9, 14, 5, 7, 0, time.UTC)

// recorded is what jinja2 made of a template: a text or an error.
type recorded struct {
	Template, Source string
	Chat             json.RawMessage
	Text, Error      *string
}

func recordedCases(t testing.TB, name string) []recorded {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	if err := json.Unmarshal(raw, &out); err != nil || len(out) < 90 {
		t.Fatal(err, len(out))
	}
	return out
}

func source(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".jinja")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (c recorded) chat(t testing.TB) Chat {
	t.Helper()
	chat := Chat{BOS: "<s>", EOS: "</s>", Now: now, Messages: &List{}}
	if c.Chat == nil {
		return chat
	}
	v, err := Decode(c.Chat)
	if err != nil {
		t.Fatal(err)
	}
	d := v.(*Dict)
	chat.Messages, _ = d.get("messages")
	chat.Tools, _ = d.get("tools")
	prompt, _ := d.get("add_generation_prompt")
	chat.AddGenerationPrompt = prompt == true
	if x, ok := d.get("extra"); ok {
		chat.Extra = map[string]any{}
		for i, k := range x.(*Dict).keys {
			chat.Extra[k.(string)] = x.(*Dict).vals[i]
		}
	}
	return chat
}

func (c recorded) compare(t *testing.T, src string) {
	t.Helper()
	tm, err := Parse(src)
	if err != nil {
		t.Errorf("%s%s: %v", c.Template, c.Source, err)
		return
	}
	got, err := tm.Render(c.chat(t))
	switch {
	case c.Text == nil && err == nil:
		t.Errorf("%s%s: %q, want the error %s", c.Template, c.Source, got, *c.Error)
	case c.Text == nil && !errors.Is(err, ErrRender):
		t.Errorf("%s%s: %v", c.Template, c.Source, err)
	case c.Text != nil && (err != nil || got != *c.Text):
		t.Errorf("%s%s %s: %q (%v), want %q", c.Template, c.Source, c.Chat, got, err, *c.Text)
	}
}

func TestPublishedTemplates(t *testing.T) {
	for _, c := range recordedCases(t, "chats.json") {
		c.compare(t, source(t, c.Template))
	}
}

func TestExpressionsAndBlocks(t *testing.T) {
	for _, c := range recordedCases(t, "expressions.json") {
		c.compare(t, c.Source)
	}
}

func TestRaisedErrorReachesTheCaller(t *testing.T) {
	tm, err := Parse("{{ raise_exception('no ' + 'system') }}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tm.Render(Chat{})
	raised, ok := errors.AsType[*RaisedError](err)
	if !ok || raised.Message != "no system" || !errors.Is(err, ErrRender) {
		t.Errorf("%v", err)
	}
}

func TestUnsupportedIsRefusedByName(t *testing.T) {
	for src, want := range map[string]string{
		"{% include 'x' %}": "include", "{% import 'x' as y %}": "import", "{% extends 'x' %}": "extends", "{% block a %}{% endblock %}": "block",
		"{% call m() %}{% endcall %}": "call", "{% raw %}{% endraw %}": "raw", "{% do x %}": "do", "{{ x | nosuch }}": "nosuch", "{{ x is nosuch }}": "nosuch",
		"{{ 2 ** 3 }}": "**", "{{ f(*a) }}": "*", "{% for x in y recursive %}{% endfor %}": "recursive", "{{ x | pprint }}": "pprint", "{% autoescape true %}": "autoescape",
	} {
		_, err := Parse(src)
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}

func TestDamagedTemplatesAreRefused(t *testing.T) {
	for _, src := range []string{"{{", "{%", "{#", "{{ }}", "{{ 1 2 }}", "{% if x %}", "{% endif %}", "{% else %}", "{% for x %}{% endfor %}", "{{ 'a }}", "{{ a. }}", "{{ (1 }}", "{{ [1 }}",
		"{{ {1:} }}", "{{ a[ ] }}", "{{ a[1:2:3:4] }}", "{% set %}", "{% set 1 = 2 %}", "{% break %}", "{% macro m( %}{% endmacro %}", "{{ 99999999999999999999 }}", "{{ ? }}", "{{ f(a=1, 2) }}",
		"{{ '\\x4' }}", "{% if a %}{% endfor %}", "{{" + strings.Repeat("(", 300) + "}}", "{{" + strings.Repeat("not ", 300) + "1 }}",
		"{{ 1" + strings.Repeat("+1", 5000) + " }}", strings.Repeat("{% if 1 %}", 100), strings.Repeat("x", maxSource+1)} {
		_, err := Parse(src)
		if !errors.Is(err, ErrSyntax) {
			t.Errorf("%.40q: %v", src, err)
		}
	}
}

// A template that would run for ever, or fill the memory, is stopped.
func TestTemplatesAreBounded(t *testing.T) {
	for _, src := range []string{
		"{% for i in range(2000000000) %}{% endfor %}",
		"{% for i in range(3000) %}{% for j in range(3000) %}{% endfor %}{% endfor %}",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"{{ 'x' * 999999999999 }}", "{{ ('x' * 10000000) ~ ('x' * 10000000) ~ ('x' * 10000000) ~ ('x' * 10000000) }}",
		"{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
		"{% set s = 'x' * 100000 %}{% for i in range(100000) %}{{ s | upper }}{% endfor %}",
		"{{ 'a' * 1000000 | replace('a', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb') | replace('b', 'ccccccccccccc') }}",
	} {
		tm, err := Parse(src)
		if err != nil {
			t.Fatal(src, err)
		}
		from := time.Now()
		if _, err := tm.Render(Chat{}); !errors.Is(err, ErrBounds) && !errors.Is(err, ErrRender) {
			t.Errorf("%s: %v", src, err)
		}
		if took := time.Since(from); took > 10*time.Second {
			t.Errorf("%s: it took %v", src, took)
		}
	}
}

// A template changes nothing that it is given.
func TestValuesStayAsTheyAre(t *testing.T) {
	v, err := Decode([]byte(`[{"role":"user","content":"a"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{"{% set messages = [] %}", "{{ messages.append(1) }}", "{{ messages[0].update({'a': 1}) }}", "{% set messages.x = 1 %}", "{{ messages | sort }}", "{{ messages | reverse | list }}"} {
		tm, err := Parse(src)
		if err != nil {
			t.Fatal(src, err)
		}
		tm.Render(Chat{Messages: v}) // may fail; must not change v
	}
	l := v.(*List)
	if d := l.items[0].(*Dict); len(l.items) != 1 || len(d.keys) != 2 {
		t.Error("a template changed a message")
	}
}

func TestLoad(t *testing.T) {
	render := func(files fstest.MapFS) string {
		tm, err := Load(files)
		if err != nil {
			return err.Error()
		}
		s, _ := tm.Render(Chat{})
		return s
	}
	for want, config := range map[string]string{"one": `{"chat_template":"one"}`, "two": `{"chat_template":[{"name":"tool_use","template":"x"},{"name":"default","template":"two"}]}`} {
		if got := render(fstest.MapFS{"tokenizer_config.json": {Data: []byte(config)}}); got != want {
			t.Errorf("%s: %q", config, got)
		}
	}
	if got := render(fstest.MapFS{"chat_template.jinja": {Data: []byte("file")}, "tokenizer_config.json": {Data: []byte(`{"chat_template":"one"}`)}}); got != "file" {
		t.Errorf("chat_template.jinja: %q", got)
	}
	for _, files := range []fstest.MapFS{{}, {"tokenizer_config.json": {Data: []byte("{}")}}} {
		if _, err := Load(files); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no template: %v", err)
		}
	}
}

// FuzzRender: any template is refused, fails or renders within its bounds.
func FuzzRender(f *testing.F) {
	for _, c := range recordedCases(f, "expressions.json") {
		f.Add(c.Source)
	}
	for _, name := range []string{"smollm2", "llama3", "gemma", "qwen3"} {
		f.Add(source(f, name))
	}
	messages, _ := Decode([]byte(`[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{}}}]}]`))
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 5000 {
			return
		}
		tm, err := Parse(src)
		if err != nil {
			if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		if _, err := tm.Render(Chat{Messages: messages, AddGenerationPrompt: true, Now: now}); err != nil && !errors.Is(err, ErrRender) && !errors.Is(err, ErrBounds) {
			t.Fatal(err)
		}
	})
}
