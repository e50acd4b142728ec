package privacy

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Conformance: every registered recogniser finds each of its positive examples
// as exactly one finding, and nothing in its negative ones.
func TestRecognisers(t *testing.T) {
	for _, r := range Recognisers() {
		for _, s := range r.Positive {
			if got := DetectOnly(s, []string{r.ID}); len(got) != 1 {
				t.Errorf("%s in %q: %d findings %v", r.ID, s, len(got), got)
			} else if got[0].Start < 0 || got[0].End > utf8.RuneCountInString(s) || got[0].Start >= got[0].End {
				t.Errorf("%s in %q: offsets %v", r.ID, s, got[0])
			}
			if n := len(Detect(s)); n != 1 {
				t.Errorf("%s: all recognisers together make %d findings of %q: %v", r.ID, n, s, Detect(s))
			}
		}
		for _, s := range r.Negative {
			if got := DetectOnly(s, []string{r.ID}); len(got) != 0 {
				t.Errorf("%s in %q: found %v", r.ID, s, got)
			}
		}
		if !Known(r.ID) || !strings.HasPrefix(Label(r.ID), "[") {
			t.Errorf("%s: not known or no label", r.ID)
		}
	}
	if Known("no-such") || !Known(All) {
		t.Error("Known")
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct {
		text, want string
		ids        []string
	}{
		{"no data here", "no data here", nil},
		{"", "", nil},
		{"a@b.co", "[EMAIL]", nil},
		{"Mail anna@example.com or +49 30 901820, card 4111 1111 1111 1111.", "Mail [EMAIL] or [PHONE], card [CARD].", nil},
		{"Mail anna@example.com or +49 30 901820.", "Mail [EMAIL] or +49 30 901820.", []string{"email"}},
		{"Mail anna@example.com or +49 30 901820.", "Mail [EMAIL] or [PHONE].", []string{"email", "no-such"}},
		{"信用卡４１１１１１１１１１１１１１１１，邮箱li@example.cn。", "信用卡[CARD]，邮箱[EMAIL]。", []string{"pii"}},
		{"电话13800138000或a@b.co", "电话[PHONE]或[EMAIL]", nil},
		{"🙂 a@b.co 🙂 c@d.co", "🙂 [EMAIL] 🙂 [EMAIL]", nil},
		{"bad \xff a@b.co \xff", "bad \xff [EMAIL] \xff", nil},
	} {
		got, findings, offsets := Mask(c.text, c.ids)
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
		checkOffsets(t, c.text, got, findings, offsets)
		again, _, _ := Mask(got, c.ids)
		if again != got {
			t.Errorf("masking %q twice: %q", c.text, again)
		}
	}
}

func checkOffsets(t *testing.T, text, masked string, findings []Finding, o Offsets) {
	t.Helper()
	orig, out := []rune(text), []rune(masked)
	places := o.Placeholders()
	if len(places) != len(findings) {
		t.Fatalf("%d placeholders for %d findings", len(places), len(findings))
	}
	covered := func(i int, list [][2]int) bool {
		for _, p := range list {
			if i >= p[0] && i < p[1] {
				return true
			}
		}
		return false
	}
	for i, p := range places {
		if got := string(out[p[0]:p[1]]); got != Label(findings[i].Recogniser) {
			t.Fatalf("placeholder %d is %q", i, got)
		}
		if s, e := o.Original(p[0], p[1]); s != findings[i].Start || e != findings[i].End {
			t.Fatalf("placeholder %v maps to %d-%d, not %v", p, s, e, findings[i])
		}
		if s, e := o.Masked(findings[i].Start, findings[i].End); s != p[0] || e != p[1] {
			t.Fatalf("finding %v maps to %d-%d, not %v", findings[i], s, e, p)
		}
	}
	for i := range out {
		if s, e := o.Original(i, i+1); !covered(i, places) && (e != s+1 || orig[s] != out[i]) {
			t.Fatalf("character %d of %q maps to %d-%d", i, masked, s, e)
		}
	}
}

// The order in which masks are asked for, or a second kind asked for, never
// shows more.
func TestOverlapKeepsBothMasked(t *testing.T) {
	for _, s := range []string{"+4111111111111111", "4111111111111111@example.com", "a@b.co4111111111111111"} {
		masked, _, _ := Mask(s, nil)
		if strings.Contains(masked, "4111") {
			t.Errorf("%q masked to %q", s, masked)
		}
	}
}

// Decoys in front do not hide what follows.
func TestDecoys(t *testing.T) {
	for _, decoy := range []string{"4111 1111 1111 1112 ", "1234567890 ", "12-34-56 ", "a@b@", "+1 ", "4"} {
		s := strings.Repeat(decoy, 2000) + " 4111 1111 1111 1111 and anna@example.com"
		masked, _, _ := Mask(s, []string{"credit-card", "email"})
		if !strings.HasSuffix(masked, "[CARD] and [EMAIL]") {
			t.Errorf("%q hides: …%s", decoy, masked[max(0, len(masked)-60):])
		}
	}
}

// Long windows are searched in pieces; where a piece ends does not matter.
func TestPieces(t *testing.T) {
	for shift := range 2 * pieceOverlap {
		s := strings.Repeat("12-34 ", 900) + strings.Repeat("-", shift) + " 4111 1111 1111 1111 "
		if masked, _, _ := Mask(s, []string{"credit-card"}); !strings.HasSuffix(masked, " [CARD] ") {
			t.Fatalf("hidden at shift %d: …%q", shift, masked[len(masked)-60:])
		}
	}
}

// Detection is linear: texts made to be slow stay far below the minutes that a
// quadratic search of 200 kB would take, also on a busy machine.
func TestLinear(t *testing.T) {
	for name, unit := range map[string]string{
		"prose":  "The quick brown fox jumps over the lazy dog, 12 times in 2026. ",
		"digits": "1234567890 ", "no space": "1234567890", "at": "a@", "ats": "@@@@", "mail": "a.b.c.d@e.f.g.", "scheme": "a://",
		"plus": "+1 ", "paren": "(0", "hex": "dead:beef:", "mixed": "a1b2c3d4", "chinese": "电话13800138000，", "wide": "４１１１",
	} {
		s := strings.Repeat(unit, 200_000/len(unit))
		t0 := time.Now()
		Detect(s)
		if d := time.Since(t0); d > 20*time.Second {
			t.Errorf("%s: 200 kB take %v", name, d)
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, r := range Recognisers() {
		f.Add(r.Positive[0])
		f.Add(r.Negative[0])
	}
	f.Add("\xff4111111111111111\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		masked, findings, offsets := Mask(s, nil)
		checkOffsets(t, s, masked, findings, offsets)
	})
}

func BenchmarkDetectProse(b *testing.B) {
	s := strings.Repeat("The quick brown fox jumps over the lazy dog, 12 times in 2026; mail fox@example.com or call +49 30 901820. ", 10_000)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Detect(s)
	}
}
