// Package i18n holds every word of the console in English and Simplified
// Chinese: one JSON file a page and language, the same keys and the same
// placeholders in both (a test compares them).
//
// A message is a string with placeholders in braces, or an object of plural
// forms chosen by the placeholder n, following Unicode CLDR:
//
//	"shown": {"one": "{n} entry", "other": "{n} entries"}
//
// Model input, model labels and names given by people are never translated.
package i18n

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed en/*.json zh-Hans/*.json
var files embed.FS

// Languages are the languages of the console, the default first.
var Languages = []string{"en", "zh-Hans"}

var (
	tags    = []language.Tag{language.English, language.SimplifiedChinese}
	matcher = language.NewMatcher(tags)
	texts   = load()
)

// message is one text, or its plural forms.
type message struct {
	text  string
	forms map[string]string
}

func (m *message) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		return json.Unmarshal(b, &m.forms)
	}
	return json.Unmarshal(b, &m.text)
}

// load reads all catalogues; a broken one is a programming error.
func load() map[string]map[string]message {
	out := map[string]map[string]message{}
	for _, lang := range Languages {
		out[lang] = map[string]message{}
		names, err := fs.Glob(files, lang+"/*.json")
		if err != nil {
			panic("i18n: catalogues cannot be listed")
		}
		for _, name := range names {
			body, err := files.ReadFile(name)
			if err != nil {
				panic("i18n: catalogue cannot be read: " + name)
			}
			page := map[string]message{}
			if err := json.Unmarshal(body, &page); err != nil {
				panic(fmt.Sprintf("i18n: catalogue %s: %v", name, err))
			}
			prefix := strings.TrimSuffix(path.Base(name), ".json") + "."
			for k, m := range page {
				out[lang][prefix+k] = m
			}
		}
	}
	return out
}

// Match returns the console's language for the first of the given wishes that
// it speaks: an exact name, or an Accept-Language header.
func Match(wishes ...string) string {
	for _, w := range wishes {
		if w == "" {
			continue
		}
		parsed, _, err := language.ParseAcceptLanguage(w)
		if err != nil || len(parsed) == 0 {
			continue
		}
		if _, i, conf := matcher.Match(parsed...); conf > language.No {
			return Languages[i]
		}
	}
	return Languages[0]
}

type key struct{}

// With returns a context whose texts are in the given language.
func With(ctx context.Context, lang string) context.Context {
	if _, ok := texts[lang]; !ok {
		lang = Languages[0]
	}
	return context.WithValue(ctx, key{}, lang)
}

// Lang returns the language of ctx, English where none was set.
func Lang(ctx context.Context) string {
	if l, ok := ctx.Value(key{}).(string); ok {
		return l
	}
	return Languages[0]
}

// T returns the text of key in the language of ctx. Arguments are pairs of a
// placeholder's name and its value; integers are written with digit groups. A
// key that does not exist comes back as itself, in brackets, so that it is
// seen; a test finds every key used in a template.
func T(ctx context.Context, key string, args ...any) string {
	return Text(Lang(ctx), key, args...)
}

// Text is T for a named language.
func Text(lang, key string, args ...any) string {
	m, ok := texts[lang][key]
	if !ok {
		return "[" + key + "]"
	}
	s := m.text
	if m.forms != nil {
		s = pick(lang, m.forms, args)
	}
	if len(args) == 0 {
		return s
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, fmt.Sprintf("{%v}", args[i]), format(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// Or returns the text of key, or other where the catalogue has none: for
// identifiers that an administrator or a model may have added.
func Or(ctx context.Context, key, other string) string {
	if !Has(key) {
		return other
	}
	return T(ctx, key)
}

// Has says whether the default catalogue has key.
func Has(key string) bool {
	_, ok := texts[Languages[0]][key]
	return ok
}

func pick(lang string, forms map[string]string, args []any) string {
	n := 0
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "n" {
			n = toInt(args[i+1])
		}
	}
	tag := tags[0]
	for i, l := range Languages {
		if l == lang {
			tag = tags[i]
		}
	}
	form := "other"
	switch plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0) {
	case plural.One:
		form = "one"
	case plural.Zero:
		form = "zero"
	}
	if s, ok := forms[form]; ok {
		return s
	}
	return forms["other"]
}

func toInt(v any) int {
	switch x := v.(type) {
	case int:
		return x
	case int64:
		return int(x)
	case uint64:
		return int(x)
	}
	return 2
}

func format(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case int:
		return Group(int64(x))
	case int64:
		return Group(x)
	case uint64:
		return Group(int64(x))
	}
	return fmt.Sprint(v)
}

// Group writes n with a comma between groups of three digits and a true minus
// sign, in both languages alike.
func Group(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Keys returns every key of a language, sorted.
func Keys(lang string) []string {
	out := make([]string, 0, len(texts[lang]))
	for k := range texts[lang] {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
