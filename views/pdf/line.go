package pdf

import "strings"

// Marks that do not begin a line, and marks that do not end one, after the rules for
// Chinese text layout (W3C clreq §3.1.4).
const (
	notFirst = "!%),.:;?]}¢°·’”†‡›℃∶、。〃〆〕〗〞﹚﹜！＂％＇），．：；？］｀｜｝～》」』】…—"
	notLast  = "$([{£¥‘“‹《「『【〔〖〝﹙﹛＄（．［｛￡￥"
)

// wide reports whether text may break on both sides of r: ideographs, kana, full-width
// forms.
func wide(r rune) bool {
	return r >= 0x2E80 && r <= 0x9FFF || r >= 0xAC00 && r <= 0xD7A3 || r >= 0xF900 && r <= 0xFAFF || r >= 0xFE30 && r <= 0xFE4F || r >= 0xFF00 && r <= 0xFFEF
}

// mayBreak reports whether a line may end between a and b.
func mayBreak(a, b rune) bool {
	if strings.ContainsRune(notFirst, b) || strings.ContainsRune(notLast, a) {
		return false
	}
	return a == ' ' || a == '-' || a == '/' || wide(a) || wide(b)
}

// lines breaks s into lines of at most width, measured by advance. Every character of s is
// in exactly one line, in order, but the ends of line themselves. Words longer than a line,
// such as hashes, break anywhere.
func lines(s string, width float64, advance func(rune) float64) []string {
	var out []string
	for _, p := range strings.Split(s, "\n") {
		out = append(out, paragraph([]rune(p), width, advance)...)
	}
	return out
}

func paragraph(r []rune, width float64, advance func(rune) float64) []string {
	var out []string
	for len(r) > 0 {
		x, end, last := 0.0, 0, 0
		for end < len(r) {
			w := advance(r[end])
			// A space may stand over the edge: nobody sees it.
			if x+w > width && end > 0 && r[end] != ' ' {
				break
			}
			if end > 0 && mayBreak(r[end-1], r[end]) {
				last = end
			}
			x += w
			end++
		}
		if end < len(r) && last > 0 && !mayBreak(r[end-1], r[end]) {
			end = last
		}
		out = append(out, string(r[:end]))
		r = r[end:]
	}
	if len(out) == 0 {
		return []string{""}
	}
	return out
}
