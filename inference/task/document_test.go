package task

import (
	"strings"
	"testing"
)

// words makes one token of every word, its blank in front included as SentencePiece counts it, or of every character.
func words(text string, single bool) []Token {
	var out []Token
	start := 0
	chars := []rune(text)
	for i := range chars {
		if i > start && (single || chars[i] == ' ' || chars[i] == '\n') {
			out, start = append(out, Token{Start: start, End: i}), i
		}
	}
	return append(out, Token{Start: start, End: len(chars)})
}

func TestDivide(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		single   bool
		capacity int
		want     string
	}{
		"short":       {"One two.", false, 5, "One two."},
		"sentences":   {"One two three. Four five six. Seven eight.", false, 4, "One two three.| Four five six.| Seven eight."},
		"lines":       {"a b c\nd e f g h", false, 4, "a b c|\nd e f g| h"},
		"no sentence": {"one two three four five", false, 2, "one two| three four| five"},
		"abbreviated": {"v1.2 is out now", false, 3, "v1.2 is out| now"},
		"no blanks":   {"abcdefg", true, 3, "abc|def|g"},
		"Chinese":     {"今天很好。明天也好。再见", true, 8, "今天很好。|明天也好。再见"},
		"one by one":  {"a b", false, 1, "a| b"},
	} {
		chars := []rune(c.text)
		var parts []string
		for _, p := range Divide(c.text, words(c.text, c.single), c.capacity) {
			parts = append(parts, string(chars[p.Start:p.End]))
		}
		if got := strings.Join(parts, "|"); got != c.want {
			t.Errorf("%s: %q, expected %q", name, got, c.want)
		}
	}
}
