package tokenizer

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Short words are merged by looking at all pairs, long ones with a heap: on
// words of any length both must give the same.
func TestMergingWaysAgree(t *testing.T) {
	for _, dir := range []string{golden + "/gpt2-bytelevel-bpe", golden + "/llama2-legacy-bpe"} {
		m := loadDir(t, dir).(*pipeline).model.(*bpe)
		rng := rand.New(rand.NewPCG(1, 2))
		letters := []rune("theanrsiodl  ĠĠ▁▁ngby")
		for range 3000 {
			var word text
			for i := range rng.IntN(60) + 1 {
				word = append(word, char{letters[rng.IntN(len(letters))], int32(i), int32(i + 1)})
			}
			symbols := func() []symbol {
				s := m.symbols(word, nil)
				for i := range s {
					s[i].prev, s[i].next = int32(i-1), int32(i+1)
				}
				return s
			}
			ids := func(s []symbol) (out []int32) {
				for _, x := range s {
					if x.n > 0 {
						out = append(out, x.id, x.n)
					}
				}
				return out
			}
			long := symbols()
			if len(long) == 0 {
				continue
			}
			m.mergeLong(long)
			if short := m.mergeShort(symbols()); !reflect.DeepEqual(ids(short), ids(long)) {
				t.Fatalf("%q: %v %v", word.String(), ids(short), ids(long))
			}
		}
	}
}

// Every golden style takes long words and runs in about linear time.
func TestEveryStyleIsLinear(t *testing.T) {
	for _, dir := range goldenFolders(t) {
		if strings.Contains(dir, "wordpiece") || strings.Contains(dir, "pattern-") {
			continue // TestTimeIsLinear; patterns are bounded by steps
		}
		tok := loadDir(t, dir)
		for _, unit := range []string{"a", "ab1", "\n ", "word ", "e\u0301", "😀"} {
			measure := func(chars int) time.Duration {
				text := strings.Repeat(unit, chars/len([]rune(unit)))
				best := time.Hour
				for range 2 {
					from := time.Now()
					if _, err := tok.Encode(text, nil, true); err != nil && !errors.Is(err, ErrText) {
						t.Fatal(err)
					}
					best = min(best, time.Since(from))
				}
				return best
			}
			small, large := measure(2_000), measure(20_000)
			for range 5 { // a busy machine: what is not linear stays slow
				if large <= 40*small+200*time.Millisecond {
					break
				}
				small, large = max(small, measure(2_000)), min(large, measure(20_000))
			}
			if large > 40*small+200*time.Millisecond {
				t.Errorf("%s %q: 2,000 characters %v, 20,000 characters %v", dir, unit, small, large)
			}
		}
	}
}

func TestPatternsAreRefusedByName(t *testing.T) {
	for src, want := range map[string]string{
		`(?<=a)b`: "(?<=", `a(?<!b)`: "(?<!", `(a)\1`: `\1`, `(?P<x>a)`: "(?P<", `\bword\b`: `\b`, `\p{Nope}`: "Nope", `[[:alpha:]]`: "[:", `[a&&b]`: "&&",
		`a**`: "repeat of a repeat", `(a*)*`: "match nothing", `*a`: "repeat of nothing", `(a`: "( without )", `a)`: "unmatched )", `[a`: "[ without ]",
		`a{3,1}`: "at least 3", `a{9999}`: "more than", `a{x}`: "not a repeat", `\`: `at its end`, `[]a]`: "empty class", `[b-a]`: "range", `\x{zz}`: "broken",
		`((((a{1000}){1000}){1000}){1000})`: "instructions", strings.Repeat("(", 100) + "a": "deep", strings.Repeat("[", 100): "deep", `\p{L`: `{name}`, `\G`: `\G`,
	} {
		_, err := compileRegexp(src)
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}

// A pattern that goes back on its choices without end is stopped.
func TestPatternsAreBounded(t *testing.T) {
	x, err := compileRegexp(`(?:a|aa|a{1,5})+b`)
	if err != nil {
		t.Fatal(err)
	}
	if err := eachMatch(x, newText(strings.Repeat("a", 5000)), func(int, int) {}); !errors.Is(err, ErrText) {
		t.Errorf("the search ended with %v", err)
	}
}

// The hand-written scanners against the matcher, on any text.
func FuzzScanners(f *testing.F) {
	for _, r := range goldenRows(f, golden+"/llama3-split-bpe") {
		if len(r.Text) < 200 {
			f.Add(r.Text)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 2000 {
			return
		}
		for src, scan := range scanners {
			x, err := compileRegexp(src)
			if err != nil {
				t.Fatal(err)
			}
			a, errA := stretches(scan, newText(s))
			b, errB := stretches(x, newText(s))
			if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
				t.Fatalf("%s on %q: %v %v, %v %v", src, s, a, b, errA, errB)
			}
		}
	})
}

// FuzzPattern: no pattern makes compiling or a bounded search fail to return.
func FuzzPattern(f *testing.F) {
	for src := range scanners {
		f.Add(src, "it's 1234 a\n b")
	}
	f.Add(`(?>a+)b|[^\s[x-z]]{2,3}?$`, "aab xyz")
	f.Fuzz(func(t *testing.T, src, s string) {
		if len(src) > 200 || len(s) > 200 {
			return
		}
		x, err := compileRegexp(src)
		if err != nil {
			if !errors.Is(err, ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		done := 0
		err = eachMatch(x, newText(s), func(from, to int) {
			if from < done || to < from || to > len([]rune(s)) {
				t.Fatalf("%q on %q: match %d to %d after %d", src, s, from, to, done)
			}
			done = to
		})
		if err != nil && !errors.Is(err, ErrText) {
			t.Fatal(err)
		}
	})
}

// FuzzStream: any ids decode in whole characters, and piecewise as at once.
func FuzzStream(f *testing.F) {
	var toks []Tokenizer
	for _, dir := range goldenFolders(f) {
		toks = append(toks, loadDir(f, dir))
	}
	f.Add([]byte{1, 2, 3, 200, 100, 99, 255, 1, 0}, byte(3))
	f.Add([]byte{0xf0, 0x9f, 0x98, 0x80, 0xe4, 0xbd}, byte(1))
	f.Fuzz(func(t *testing.T, raw []byte, which byte) {
		tok := toks[int(which)%len(toks)]
		var ids []int32
		for i := 0; i+1 < len(raw); i += 2 {
			ids = append(ids, int32(raw[i])+int32(raw[i+1])%4*256)
		}
		if a, b := streamed(t, tok, ids, false), tok.Decode(ids, false); a != b {
			t.Fatalf("%v: %q %q", ids, a, b)
		}
	})
}
