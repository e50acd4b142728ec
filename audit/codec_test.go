package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// The expressions that match.go writes out. Nothing here can spell a sentence: no
// pattern admits a space, an at sign outside of a model's version, or a letter outside
// of ASCII.
const (
	pULID  = `[0-7][0-9A-HJKMNP-TV-Z]{25}`
	pModel = `[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,94}[A-Za-z0-9])?` // registry names; hub names hold a slash
	pSlug  = `[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?`
	pActor = `user:` + pULID + `|key:` + pULID + `|user:local|system|anonymous`
)

var matchers = []struct {
	name  string
	match func(string) bool
	re    *regexp.Regexp
}{
	{"space", isSpace, whole(pULID + `|` + pSlug)},
	{"model", isModel, whole(pModel)},
	{"ulid", isULID, whole(pULID)},
	{"hex", isHex, whole(`[0-9a-f]{64}`)},
	{"code", isCode, whole(pSlug)},
	{"name", isName, whole(`[a-z][a-z0-9_]{0,31}`)},
	{"version", isVersion, whole(`[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}`)},
	{"rule", isRule, whole(`[A-Za-z0-9][A-Za-z0-9._:-]{0,63}`)},
	{"actor", isActor, whole(pActor)},
	{"subject", isSubject, whole(`(?:subject|user|key):` + pULID)},
	{"asker", isAsker, whole(pActor + `|role:` + pSlug)},
	{"object", isObject, whole(`model:` + pModel + `(?:@` + pSlug + `)?|(?:prediction|explanation|user|key|session|policy|export|log|subject|job|page|request|review|proposal):(?:` + pULID + `|` + pSlug + `)`)},
	{"action", isAction, whole(`[a-z]+(?:\.[a-z]+)?`)},
	{"asked", isAsked, whole(`[a-z]{2,16}(?::(?:\*|` + pModel + `(?:@` + pSlug + `)?))?`)},
}

func whole(p string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + p + `)$`) }

// TestMatchersAreTheirExpressions mutates samples of every kind of value by one byte,
// one length and one character, and wants matcher and expression to agree.
func TestMatchersAreTheirExpressions(t *testing.T) {
	const ulid = "01JD0000000000000000000000"
	samples := []string{"", "a", "A", "0", "-", "a-", "-a", ulid, "71JDZZZZZZZZZZZZZZZZZZZZZZ", "81JD0000000000000000000000", "a.b", "a..b", "a/b", "Hub/Name-1.0", "a@b", "model:a@1.0.0",
		"model:*", "model:Hub/Name@x", "user:" + ulid, "key:" + ulid, "user:local", "role:analyst", "role:x:y", "subject:" + ulid, "prediction:" + ulid, "log:abc", "page:a", "predict", "audit.read", "audit.read.x", ".a", "a.",
		"system", "anonymous", "key:local", "ab:*", "a:*", "abcdefghijklmnop:x", "abcdefghijklmnopq:x", "x_y9", "1.0+b_c-d", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "é", "a\n", "a b"}
	for _, n := range []int{31, 32, 33, 62, 63, 64, 65, 94, 95, 96, 97, 98} {
		long := bytes.Repeat([]byte("a"), n)
		samples = append(samples, string(long), "role:"+string(long), "model:"+string(long), "model:a@"+string(long))
	}
	bits := func(s string) {
		for _, m := range matchers {
			if m.match(s) != m.re.MatchString(s) {
				t.Errorf("%s of %q: the matcher says %v", m.name, s, m.match(s))
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range samples {
		bits(s)
		for i := range len(s) + 1 {
			for range 6 {
				c := string(rune(random.IntN(140)))
				bits(s[:i] + c + s[i:])
				if i < len(s) {
					bits(s[:i] + c + s[i+1:])
					bits(s[:i] + s[i+1:])
				}
			}
		}
	}
}

// TestCodecIsEncodingJSON: over every kind's sample, with fields taken away one by one.
func TestCodecIsEncodingJSON(t *testing.T) {
	for _, k := range Kinds() {
		for _, e := range thinned(k.Sample) {
			want, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if got := appendEvent(nil, &e); !bytes.Equal(got, want) {
				t.Fatalf("%s\n%s\n%s", k.Code, got, want)
			}
			back, ok := readEvent(string(want))
			if (e.Human == nil || *e.Human != Human{}) && e.validate() == nil && (!ok || !reflect.DeepEqual(back, e)) {
				t.Errorf("%s does not read back: %s", k.Code, want)
			}
		}
	}
}

func thinned(e Event) []Event {
	out := []Event{e}
	e.Human = &Human{Outcome: "agreed", OverrideOf: e.ID, Reviewer: e.Actor}
	e.OnBehalfOf, e.LegalBasis, e.DataClasses = "subject:"+e.ID, "contract", []string{"internal", "personal"}
	out = append(out, e)
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		x := e
		reflect.ValueOf(&x).Elem().Field(i).SetZero()
		out = append(out, x)
	}
	return out
}

// TestReaderTakesNothingElse: one byte changed, added or taken away is read as what
// encoding/json would have written, or not at all.
func TestReaderTakesNothingElse(t *testing.T) {
	k, _ := LookupKind("PREDICTION.MADE.OK")
	leaf, err := thinned(k.Sample)[1].Canonical()
	if err != nil {
		t.Fatal(err)
	}
	try := func(s []byte) {
		e, ok := readEvent(string(s))
		if !ok {
			return
		}
		if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, s) {
			t.Fatalf("read: %s\nis: %s", s, again)
		}
	}
	for i := range leaf {
		for _, c := range []byte(`"{}[],:\ 0-1aZ<&` + "\n\x00\x80") {
			changed := bytes.Clone(leaf)
			changed[i] = c
			try(changed)
			try(append(append(bytes.Clone(leaf[:i]), c), leaf[i:]...))
		}
		try(append(bytes.Clone(leaf[:i]), leaf[i+1:]...))
		try(leaf[:i])
	}
}

func TestStamp(t *testing.T) {
	for _, s := range []string{"2026-01-02T03:04:05.678Z", "2024-02-29T23:59:59.999Z", "2023-02-29T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-00-10T00:00:00.000Z",
		"2026-06-31T00:00:00.000Z", "2026-01-02T24:00:00.000Z", "2026-01-02T03:60:05.678Z", "2026-01-02T03:04:60.678Z", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z",
		"2026-01-02T03:04:05.67Z", "2026-01-02 03:04:05.678Z", "2026-01-02T03:04:05,678Z", "2026-1-02T03:04:05.6789Z", "+026-01-02T03:04:05.678Z", ""} {
		want, err := time.Parse(TimeFormat, s)
		valid := err == nil && FormatTime(want) == s
		got, ok := stamp(s)
		if ok != valid || ok && !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v %v", s, got, ok, want, valid)
		}
	}
}

func FuzzReadEvent(f *testing.F) {
	for _, k := range Kinds() {
		leaf, err := k.Sample.Canonical()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(leaf))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if e, ok := readEvent(s); ok {
			if again, err := json.Marshal(e); err != nil || string(again) != s {
				t.Error(fmt.Sprintf("%s", again), err)
			}
		}
	})
}
