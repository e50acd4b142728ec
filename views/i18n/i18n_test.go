package i18n

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"testing"
)

var hole = regexp.MustCompile(`\{[a-z_]+\}`)

// holes returns the placeholders of a message; of plural forms, those of "other".
func holes(m message) []string {
	s := m.text
	if m.forms != nil {
		s = m.forms["other"]
	}
	found := map[string]bool{}
	for _, h := range hole.FindAllString(s, -1) {
		found[h] = true
	}
	var out []string
	for h := range found {
		out = append(out, h)
	}
	sort.Strings(out)
	return out
}

func TestBothLanguagesHaveTheSameKeysAndPlaceholders(t *testing.T) {
	for _, lang := range Languages[1:] {
		if diff := difference(Keys("en"), Keys(lang)); len(diff) > 0 {
			t.Errorf("only in en: %v", diff)
		}
		if diff := difference(Keys(lang), Keys("en")); len(diff) > 0 {
			t.Errorf("only in %s: %v", lang, diff)
		}
		for k, m := range texts["en"] {
			other, ok := texts[lang][k]
			if !ok {
				continue
			}
			if a, b := holes(m), holes(other); !reflect.DeepEqual(a, b) {
				t.Errorf("%s: placeholders %v in en, %v in %s", k, a, b, lang)
			}
			if m.text == "" && m.forms["other"] == "" || other.text == "" && other.forms["other"] == "" {
				t.Errorf("%s: empty", k)
			}
		}
	}
}

func difference(a, b []string) []string {
	in := map[string]bool{}
	for _, k := range b {
		in[k] = true
	}
	var out []string
	for _, k := range a {
		if !in[k] {
			out = append(out, k)
		}
	}
	return out
}

// TestEveryKeyUsedExists looks for constant keys in templates and Go files of
// views and web.
func TestEveryKeyUsedExists(t *testing.T) {
	use := regexp.MustCompile(`\b(?:i18n\.)?T\((?:ctx|c), "([a-z_]+\.[a-z0-9_.-]*[a-z0-9])"`)
	var seen int
	for _, dir := range []string{"..", "../ui", "../chart", "../gallery", "../../web"} {
		for _, ext := range []string{"*.templ", "*.go"} {
			names, _ := filepath.Glob(filepath.Join(dir, ext))
			for _, name := range names {
				if strings.HasSuffix(name, "_templ.go") {
					continue
				}
				body, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range use.FindAllStringSubmatch(string(body), -1) {
					seen++
					if !Has(m[1]) {
						t.Errorf("%s uses %q, which no catalogue has", name, m[1])
					}
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("found only %d uses of texts", seen)
	}
}

func TestPluralAndGroups(t *testing.T) {
	texts["en"]["test.n"] = message{forms: map[string]string{"one": "{n} entry", "other": "{n} entries"}}
	defer delete(texts["en"], "test.n")
	for n, want := range map[int]string{0: "0 entries", 1: "1 entry", 2: "2 entries", 12431: "12,431 entries"} {
		if got := Text("en", "test.n", "n", n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "−1,234,567"} {
		if got := Group(n); got != want {
			t.Errorf("Group(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct{ wish, want string }{
		{"", "en"}, {"zh-Hans", "zh-Hans"}, {"zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"}, {"zh", "zh-Hans"},
		{"en-GB", "en"}, {"fr,de;q=0.5", "en"}, {"\x00;;;", "en"},
	} {
		if got := Match(c.wish); got != c.want {
			t.Errorf("Match(%q) = %q, want %q", c.wish, got, c.want)
		}
	}
}
