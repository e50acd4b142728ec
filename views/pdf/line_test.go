package pdf

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLines: breaking loses and adds no character, and no line is wider than asked but for
// spaces and for single characters that are.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"", "a", "one two three", "一二三四五，六七八。九", "「开」始（结）束", strings.Repeat("ab", 90), "a\n\nb", " \n ", "x " + strings.Repeat(" ", 40) + "y", "a-b/c，，，，，，，，，，"} {
		f.Add(s, 5.0)
	}
	f.Fuzz(func(t *testing.T, s string, width float64) {
		if !utf8.ValidString(s) || len(s) > 2000 || !(width >= 0 && width < 1e6) {
			return
		}
		list := lines(s, width, func(r rune) float64 {
			if wide(r) {
				return 2
			}
			return 1
		})
		if got := strings.Join(list, ""); got != strings.ReplaceAll(s, "\n", "") {
			t.Fatalf("%q became %q", s, got)
		}
		for _, l := range list {
			n := 0.0
			for _, r := range strings.TrimRight(l, " ") {
				n++
				if wide(r) {
					n++
				}
			}
			if n > width && utf8.RuneCountInString(strings.TrimRight(l, " ")) > 1 {
				t.Fatalf("%q is wider than %g", l, width)
			}
		}
	})
}

// Characters that the font lacks are written out, and none is blank.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"a\tb": "a b", "Ř𝄞\x00": "U+0158U+1D11EU+0000", "你好，“é”\n": "你好，“é”\n", "\r\nx": "\nx"} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
