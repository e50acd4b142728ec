package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// schemas are all kinds of what is enforced, with documents that fit and that do not.
var schemas = []struct {
	schema  string
	yes, no []string
}{
	{`true`, []string{`{}`, ` [1,{"a":null}]`, `-1.5e-3`, `"\ud83d\ude00é\n"`, "{\n  \"a\": [1, 2]\n}"}, []string{`{`, `01`, `1.`, `"\ud83d"`, `[1,]`, `{} `, "\"\x01\""}},
	{`{"type":"object"}`, []string{`{}`, `{"a":1,"b":{"c":[]}}`}, []string{`[]`, `1`, `{"a"}`}},
	{`{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name"],"additionalProperties":false}`,
		[]string{`{"name":"x"}`, `{"name": "x", "age": 3}`}, []string{`{}`, `{"age":3}`, `{"name":1}`, `{"name":"x","b":1}`, `{"name":"x","age":1.5}`}},
	{`{"type":"object","properties":{"a":{"type":"null"},"ab":{"type":"boolean"}},"additionalProperties":{"type":"integer"}}`,
		[]string{`{}`, `{"a":null}`, `{"ab":true,"abc":7,"é":8}`, `{"":1}`}, []string{`{"a":1}`, `{"ab":7}`, `{"x":"y"}`, `{"\u0061":1}`}},
	{`{"type":"array","items":{"type":"integer","minimum":-12,"maximum":345},"minItems":1,"maxItems":3}`,
		[]string{`[0]`, `[-12,345]`, `[ 1, 2, 3 ]`}, []string{`[]`, `[1,2,3,4]`, `[-13]`, `[346]`, `[1000]`, `[-0]`, `[00]`}},
	{`{"type":"array","prefixItems":[{"type":"string"},{"type":"number"}],"items":false}`, []string{`[]`, `["a"]`, `["a",1.5]`}, []string{`[1]`, `["a",1,2]`}},
	{`{"type":"number","minimum":0,"maximum":1}`, []string{`0`, `1`, `0.5`, `1.000`, `0.0`}, []string{`1.01`, `-0.1`, `2`, `1e9`, `.5`, `-0`}},
	{`{"type":"number","exclusiveMinimum":-2.25,"exclusiveMaximum":0.125}`, []string{`-2.24`, `-2`, `0`, `0.1249`, `-0.5`}, []string{`-2.25`, `-2.250`, `0.125`, `0.2`, `-3`, `-2.26`}},
	{`{"type":"integer","exclusiveMinimum":1.5,"maximum":1e2}`, []string{`2`, `100`}, []string{`1`, `101`, `2.0`}},
	{`{"type":"string","minLength":2,"maxLength":3}`, []string{`"ab"`, `"é漢😀"`, `"\n\u00e9"`, `"\ud83d\ude00a"`}, []string{`"a"`, `"abcd"`, `ab`}},
	{`{"type":"string","pattern":"^[A-Z]{2}-\\d+$"}`, []string{`"AB-1"`, `"ZZ-007"`}, []string{`"A-1"`, `"AB-"`, `"xAB-1"`, `"AB-1 "`}},
	{`{"type":"string","pattern":"b+","maxLength":4}`, []string{`"b"`, `"abbc"`, `"\nb"`}, []string{`""`, `"aaaa"`, `"aaabb"`}},
	{`{"type":"string","format":"date"}`, []string{`"2024-02-29"`, `"1999-12-31"`}, []string{`"2023-02-29"`, `"1900-02-29"`, `"2024-04-31"`, `"2024-13-01"`}},
	{`{"type":"string","format":"date-time"}`, []string{`"2024-02-29T23:59:59.5+02:00"`, `"1999-12-31T00:00:00Z"`}, []string{`"1999-12-31"`, `"1999-12-31T24:00:00Z"`}},
	{`{"type":"string","format":"email"}`, []string{`"a.b@example.org"`}, []string{`"a@b"`, `"a..b@example.org"`}},
	{`{"type":"string","format":"uuid"}`, []string{`"123e4567-e89b-12d3-a456-426614174000"`}, []string{`"123e4567"`}},
	{`{"enum":["red","green",3,null,{"a":[1]}]}`, []string{`"red"`, `3`, `null`, `{"a":[1]}`}, []string{`"blue"`, `33`, `"re"`}},
	{`{"type":"string","enum":["a",1,"\"q\""]}`, []string{`"a"`, `"\"q\""`}, []string{`1`}},
	{`{"const":12}`, []string{`12`}, []string{`1`, `123`}},
	{`{"anyOf":[{"type":"string","maxLength":1},{"type":"integer"}]}`, []string{`"a"`, `12`}, []string{`"ab"`, `1.5`}},
	{`{"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind"]},{"type":"object","properties":{"kind":{"const":"b"}},"required":["kind"]}]}`,
		[]string{`{"kind":"a","x":1}`, `{"kind":"b"}`}, []string{`{"kind":"c"}`, `{"kind":"b","x":1}`}},
	{`{"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"a":{"maximum":5},"b":{"type":"boolean"}}}]}`,
		[]string{`{"a":5}`, `{"a":1,"b":true}`}, []string{`{"a":6}`, `{"b":true}`}},
	{`{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["v","next"],"additionalProperties":false}`,
		[]string{`{"v":1,"next":null}`, `{"v":1,"next":{"v":2,"next":null}}`}, []string{`{"v":1}`, `{"v":1,"next":{"v":2}}`}},
	{`{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"array","items":{"$ref":"#/$defs/tree"},"maxItems":2}}}`, []string{`[]`, `[[],[[]]]`}, []string{`[[],[],[]]`, `[1]`}},
	{`{"type":["string","null","integer"],"maxLength":2,"minimum":5}`, []string{`"ab"`, `null`, `5`}, []string{`4`, `"abc"`, `true`}},
	{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]}],"additionalProperties":false}`,
		[]string{`{"a":1}`, `{"b":1}`, `{"a":1,"b":2}`}, []string{`{}`}},
	{`{"title":"t","description":"d","type":"object","required":["z"],"additionalProperties":{"type":"boolean"}}`, []string{`{"z":true}`, `{"z":true,"y":false}`}, []string{`{}`, `{"z":1}`}},
}

func must(t testing.TB, schema string) *Grammar {
	t.Helper()
	g, err := JSON(json.RawMessage(schema))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return g
}

func TestDocuments(t *testing.T) {
	for _, c := range schemas {
		g := must(t, c.schema)
		v := validator{decode(t, c.schema)}
		for _, doc := range c.yes {
			if ok, err := g.Match([]byte(doc)); !ok || err != nil {
				t.Errorf("%s refuses %s: %v", c.schema, doc, err)
			}
			if !v.ok(v.root, decode(t, doc)) {
				t.Errorf("the test's validator refuses %s by %s", doc, c.schema)
			}
		}
		for _, doc := range c.no {
			if ok, _ := g.Match([]byte(doc)); ok {
				t.Errorf("%s takes %s", c.schema, doc)
			}
		}
	}
}

// vocabulary is every byte, words, parts of characters, and what JSON texts are made of.
func vocabulary() *Vocabulary {
	words := []string{"", "", `{"`, `":`, `": "`, `",`, `", "`, `"}`, `}}`, ` {`, `[]`, `[[`, `]]`, "\n", "\n  ", "true", "false", "null", "tr", "ue", "12", "345", "0.", "-1", "name", "age", "kind",
		"next", "é", "漢字", "\xf0\x9f", "\x98\x80", "\xe6\xbc", "\xa2", `\u00`, `\n`, `\"`, "2024-", "02-29", "T23:", "AB-", "@ex.org", "a", "a", "e10", "red", "green", `"a"`, " ", "  "}
	eos := int32(0)
	for b := range 256 {
		words = append(words, string([]byte{byte(b)}))
	}
	return NewVocabulary(len(words), func(id int32, first bool) []byte { return []byte(words[id]) }, []int32{eos})
}

// write lets chance choose; hasty prefers what ends a document.
func write(t *testing.T, g *Grammar, v *Vocabulary, r *rand.Rand, hasty bool) (string, bool) {
	t.Helper()
	m := g.Matcher(v)
	var ids []int32
	var text []byte
	for range 300 {
		logits := make([]float32, v.size+3)
		m.Allow(ids, logits)
		var open, ends []int32
		for id, x := range logits {
			if !math.IsInf(float64(x), -1) {
				open = append(open, int32(id))
				if id == 0 || strings.ContainsAny(string(v.bytes[id]), `"}]l`) {
					ends = append(ends, int32(id))
				}
			}
		}
		if len(open) == 0 {
			t.Fatalf("nothing can follow %q: %v", text, m.Err())
		}
		id := open[r.IntN(len(open))]
		if len(ends) > 0 && hasty && r.IntN(4) > 0 {
			id = ends[r.IntN(len(ends))]
		}
		if slices.Contains(open, 0) && hasty {
			id = 0
		}
		if id == 0 {
			return string(text), true
		}
		ids, text = append(ids, id), append(text, v.bytes[id]...)
	}
	return string(text), false
}

func TestWhateverIsChosenFits(t *testing.T) {
	v := vocabulary()
	for i, c := range schemas {
		g := must(t, c.schema)
		check := validator{decode(t, c.schema)}
		finished := 0
		for seed := range uint64(60) {
			doc, done := write(t, g, v, rand.New(rand.NewPCG(seed, uint64(i))), seed%3 > 0)
			if !done {
				continue
			}
			finished++
			if !utf8.ValidString(doc) || !check.ok(check.root, decode(t, doc)) {
				t.Errorf("%s: wrote %q", c.schema, doc)
			}
		}
		if finished < 10 {
			t.Errorf("%s: %d of 60 texts were finished", c.schema, finished)
		}
	}
}

// TestEveryTokenisation cuts each document at random places into tokens.
func TestEveryTokenisation(t *testing.T) {
	v := vocabulary()
	inf := float32(math.Inf(-1))
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range schemas {
		g := must(t, c.schema)
		for _, doc := range c.yes {
			for range 8 {
				m := g.Matcher(v)
				var ids []int32
				for rest := doc; ; {
					logits := make([]float32, v.size)
					m.Allow(ids, logits)
					if rest == "" {
						if logits[0] == inf {
							t.Errorf("%s: %s cannot end", c.schema, doc)
						}
						break
					}
					var fits []int32
					for id, b := range v.bytes {
						if len(b) == 0 || !strings.HasPrefix(rest, string(b)) {
							continue
						}
						if fits = append(fits, int32(id)); logits[id] == inf {
							t.Fatalf("%s: %q cannot follow in %s before %s", c.schema, b, doc, rest)
						}
					}
					id := fits[r.IntN(len(fits))]
					ids, rest = append(ids, id), rest[len(v.bytes[id]):]
				}
			}
		}
	}
}

func TestBeams(t *testing.T) {
	v := vocabulary()
	g := must(t, `{"type":"array","items":{"type":"integer"}}`)
	one, other := g.Matcher(v), g.Matcher(v)
	byteID := func(c byte) int32 { return int32(v.size - 256 + int(c)) }
	for _, text := range []string{"[", "[1", "[12", "[1,", "[", "[1,2]", "[9", "["} {
		var ids []int32
		for i := range len(text) {
			ids = append(ids, byteID(text[i]))
		}
		a, b := make([]float32, v.size), make([]float32, v.size)
		one.Allow(ids, a)
		fresh := g.Matcher(v)
		fresh.Allow(ids, b)
		if !slices.Equal(a, b) {
			t.Errorf("after %q another answer's path shows", text)
		}
	}
	logits := make([]float32, v.size)
	if other.Allow([]int32{byteID('x')}, logits); other.Err() == nil || !math.IsInf(float64(logits[5]), -1) {
		t.Error("a token that was not allowed is taken")
	}
}

func TestRefused(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 80) + "true" + strings.Repeat("}", 80)
	for _, c := range []struct {
		name, schema, says string
		err                error
	}{
		{"not JSON", `{"type":`, "EOF", ErrSyntax},
		{"deep", deep, "nested", ErrSyntax},
		{"twice", `{"type":"null","type":"string"}`, "twice", ErrSyntax},
		{"long", `{"description":"` + strings.Repeat("x", maxSchema) + `"}`, "bytes", ErrUnsupported},
		{"keyword", `{"type":"object","patternProperties":{"a":{}}}`, "patternProperties", ErrUnsupported},
		{"nested keyword", `{"type":"array","items":{"not":{}}}`, `"not"`, ErrUnsupported},
		{"type", `{"type":"date"}`, "date", ErrUnsupported},
		{"format", `{"type":"string","format":"iri"}`, "iri", ErrUnsupported},
		{"unique", `{"type":"array","uniqueItems":true}`, "uniqueItems", ErrUnsupported},
		{"multiple", `{"type":"number","multipleOf":0.1}`, "multipleOf", ErrUnsupported},
		{"old items", `{"type":"array","items":[{}]}`, "prefixItems", ErrUnsupported},
		{"reference away", `{"$ref":"http://example.org/x"}`, "reference", ErrUnsupported},
		{"reference to nothing", `{"$ref":"#/$defs/x"}`, "names nothing", ErrUnsupported},
		{"circle", `{"$ref":"#"}`, "circle", ErrUnsupported},
		{"circle of choices", `{"anyOf":[{"$ref":"#"},{"type":"null"}]}`, "before anything", ErrUnsupported},
		{"endless", `{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`, "no document", ErrUnsupported},
		{"contradiction", `{"type":"string","minLength":3,"maxLength":2}`, "no document", ErrUnsupported},
		{"false", `false`, "no document", ErrUnsupported},
		{"overlap", `{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "oneOf", ErrUnsupported},
		{"look-ahead", `{"type":"string","pattern":"(?=a)b"}`, "pattern", ErrUnsupported},
		{"back reference", `{"type":"string","pattern":"(a)\\1"}`, "pattern", ErrUnsupported},
		{"word border", `{"type":"string","pattern":"\\bcat"}`, "pattern", ErrUnsupported},
		{"broken pattern", `{"type":"string","pattern":"(a"}`, "pattern", ErrSyntax},
		{"escape", `{"type":"string","pattern":"a)|(b"}`, "pattern", ErrSyntax},
		{"catastrophic", `{"type":"string","pattern":"((a{1,99}){1,99}){1,99}"}`, "pattern", ErrUnsupported},
		{"many items", `{"type":"array","minItems":100000000}`, "too large", ErrUnsupported},
		{"long text", `{"type":"string","maxLength":100000000}`, "too large", ErrUnsupported},
		{"digits", `{"type":"number","minimum":1e999999999}`, "digits", ErrUnsupported},
		{"join", `{"allOf":[{"type":"object","additionalProperties":false},{"properties":{"a":{}}}]}`, "additionalProperties", ErrUnsupported},
	} {
		begun := time.Now()
		_, err := JSON(json.RawMessage(c.schema))
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("%s took %s", c.name, d)
		}
	}
}

func TestRegexp(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{`yes|no`, []string{"yes", "no"}, []string{"", "y", "yesno", " yes"}},
		{`(ab)*`, []string{"", "abab"}, []string{"a"}},
		{`[^a-z]\.\x41B`, []string{"1.AB", "漢.AB"}, []string{"a.AB"}},
		{`.`, []string{"😀"}, []string{"\n", "\r", "\u2028", "ab"}},
		{`[.]+`, []string{".."}, []string{"a"}},
	} {
		g, err := Regexp(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for want, texts := range map[bool][]string{true: c.yes, false: c.no} {
			for _, s := range texts {
				if ok, err := g.Match([]byte(s)); ok != want || err != nil {
					t.Errorf("%s on %q: %v %v", c.pattern, s, ok, err)
				}
			}
		}
	}
	v := vocabulary()
	for seed := range uint64(20) {
		g, _ := Regexp(`[ab]{3}(é|漢)`)
		if s, done := write(t, g, v, rand.New(rand.NewPCG(seed, 3)), false); !done || utf8.RuneCountInString(s) != 4 {
			t.Errorf("wrote %q", s)
		}
	}
}

func TestResponseFormat(t *testing.T) {
	schema := `{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}`
	for format, free := range map[string]bool{
		`{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":` + schema + `}}`: false,
		`{"type":"json_object","value":` + schema + `}`:                                           false,
		`{"type":"json","value":` + schema + `}`:                                                  false,
		`{"type":"json_schema","value":{"name":"x","schema":` + schema + `}}`:                     false,
		`{"type":"json_object","schema":` + schema + `}`:                                          false,
		`{"type":"json_object"}`:                                                                  true,
	} {
		g, err := FromResponseFormat(json.RawMessage(format))
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		for doc, want := range map[string]bool{`{"a":1}`: true, `{"b":1}`: free, `[]`: false} {
			if ok, _ := g.Match([]byte(doc)); ok != want {
				t.Errorf("%s on %s: %v", format, doc, ok)
			}
		}
	}
	for _, format := range []string{``, `null`, `{"type":"text"}`} {
		if g, err := FromResponseFormat(json.RawMessage(format)); g != nil || err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	for _, format := range []string{`{}`, `1`, `{"type":"xml"}`, `{"type":"json_schema"}`, `{"type":"json_object","schema":{},"value":{}}`, `{"type":"json_object","grammar":"x"}`,
		`{"type":"regex"}`, `{"type":"regex","value":1}`, `{"type":"json_schema","json_schema":{"name":"x"}}`, `{"type":"text","schema":{}}`} {
		if g, err := FromResponseFormat(json.RawMessage(format)); err == nil {
			t.Errorf("%s gives %v", format, g)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, c := range schemas {
		f.Add([]byte(c.schema), []byte(c.yes[0]))
	}
	f.Add([]byte(`{"type":"string","pattern":"(a|b)*c{2,5}$"}`), []byte(`"cc"`))
	f.Fuzz(func(t *testing.T, schema, doc []byte) {
		begun := time.Now()
		g, err := JSON(schema)
		if err != nil {
			if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		ok, _ := g.Match(doc)
		if ok && !json.Valid(doc) {
			t.Fatalf("%s takes %q, which is not JSON", schema, doc)
		}
		m := g.Matcher(testVocabulary)
		logits := make([]float32, testVocabulary.size)
		m.Allow(nil, logits)
		if d := time.Since(begun); d > 10*time.Second {
			t.Fatalf("took %s", d)
		}
	})
}

var testVocabulary = vocabulary()
