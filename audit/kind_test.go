package audit

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
)

var update = flag.Bool("update", false, "rewrite the golden files; review the difference")

// TestKinds is the conformance test of every registered kind: its sample is a valid
// leaf, reads back, is at most MaxLeaf bytes, and its bytes are frozen.
func TestKinds(t *testing.T) {
	var all bytes.Buffer
	for _, k := range Kinds() {
		leaf, err := k.Sample.Canonical()
		if err != nil {
			t.Errorf("%s: %v", k.Code, err)
			continue
		}
		back, err := ParseLeaf(leaf)
		if err != nil || !reflect.DeepEqual(back, k.Sample) {
			t.Errorf("%s does not read back: %v", k.Code, err)
		}
		if canonical, err := jcs.Transform(leaf); err != nil || !bytes.Equal(canonical, leaf) {
			t.Errorf("%s: not RFC 8785: %v", k.Code, err)
		}
		all.Write(leaf)
		all.WriteByte('\n')
	}
	const file = "testdata/kinds.jsonl"
	if *update {
		if err := os.WriteFile(file, all.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, all.Bytes()) {
		t.Errorf("the bytes of an event kind changed (%s): leaves already in logs must keep theirs", file)
	}
}

// TestLeafHoldsNoPersonalData puts values that must never be logged into every
// string field of an event, by reflection, and wants each refused.
func TestLeafHoldsNoPersonalData(t *testing.T) {
	canaries := []string{"Ada Lovelace", "ada@example.org", "+44 20 7946 0958", "4111 1111 1111 1111", "日本", "192.0.2.1 ", "a b", "<b>", "x\ny", "/etc/passwd", `"`}
	for _, k := range Kinds() {
		for _, canary := range canaries {
			visit(t, k, canary)
		}
	}
}

func visit(t *testing.T, k Kind, canary string) {
	base, err := k.Sample.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	var paths func(v reflect.Value, path string, set func(reflect.Value))
	paths = func(v reflect.Value, path string, check func(reflect.Value)) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				paths(v.Elem(), path, check)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				paths(v.Field(i), path+"."+v.Type().Field(i).Name, check)
			}
		case reflect.Slice:
			for i := range v.Len() {
				paths(v.Index(i), path, check)
			}
		case reflect.Map:
			if v.Type().Elem().Kind() != reflect.String {
				return
			}
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			for _, key := range v.MapKeys() {
				old := v.MapIndex(key)
				v.SetMapIndex(key, reflect.ValueOf(canary))
				check(v)
				v.SetMapIndex(key, old)
			}
			v.SetMapIndex(reflect.ValueOf(canary), reflect.ValueOf("x"))
			check(v)
			v.SetMapIndex(reflect.ValueOf(canary), reflect.Value{})
		case reflect.String:
			old := v.String()
			v.SetString(canary)
			check(v)
			v.SetString(old)
		}
	}
	e, err := ParseLeaf(base)
	if err != nil {
		t.Fatal(err)
	}
	paths(reflect.ValueOf(&e), "", func(v reflect.Value) {
		_, err := e.Canonical()
		if !errors.Is(err, ErrEvent) {
			t.Errorf("%s: a field took %q (%v)", k.Code, canary, err)
		} else if strings.Contains(err.Error(), canary) && len(canary) > 3 {
			t.Errorf("%s: the error repeats what was refused: %v", k.Code, err)
		}
	})
}

// TestEveryFieldIsCanonical: an event with every field set is RFC 8785 too.
func TestEveryFieldIsCanonical(t *testing.T) {
	k, _ := LookupKind("PREDICTION.MADE.OK")
	e := k.Sample
	e.OnBehalfOf, e.LegalBasis, e.Reason, e.Digest = "subject:"+e.ID, "gdpr-6-1-f", "none", strings.Repeat("a", 64)
	e.Human = &Human{Reviewer: e.Actor, Outcome: "override", OverrideOf: e.ID}
	e.Model = &Model{ID: "org/Model-1", Version: "1.0+build", Digest: e.Digest}
	e.Numbers = map[string]int64{"tokens": 1 << 53, "windows": -1 << 53, "masked": 0}
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set", v.Type().Field(i).Name)
		}
	}
	leaf, err := e.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := jcs.Transform(leaf)
	if err != nil || !bytes.Equal(canonical, leaf) {
		t.Errorf("%v\n%s\n%s", err, leaf, canonical)
	}
}

func TestParseLeafIsStrict(t *testing.T) {
	k, _ := LookupKind("PREDICTION.MADE.OK")
	leaf, err := k.Sample.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"space":     bytes.Replace(leaf, []byte(":"), []byte(": "), 1),
		"unknown":   bytes.Replace(leaf, []byte(`{"action"`), []byte(`{"aaa":1,"action"`), 1),
		"twice":     append(append([]byte(nil), leaf...), leaf...),
		"newline":   append(append([]byte(nil), leaf...), '\n'),
		"case":      bytes.Replace(leaf, []byte(`"action"`), []byte(`"Action"`), 1),
		"duplicate": bytes.Replace(leaf, []byte(`{"action"`), []byte(`{"action":"predict","action"`), 1),
		"empty":     {},
		"null":      []byte("null"),
		"version":   bytes.Replace(leaf, []byte(`"v":1`), []byte(`"v":2`), 1),
		"long":      bytes.Repeat([]byte("x"), MaxLeaf+1),
	} {
		if _, err := ParseLeaf(bad); !errors.Is(err, ErrLeaf) {
			t.Errorf("%s: %v, want ErrLeaf", name, err)
		}
	}
}

func TestDecisionMustFitTheKind(t *testing.T) {
	k, _ := LookupKind("PREDICTION.MADE.OK")
	e := k.Sample
	e.Decision = nil
	if _, err := e.Canonical(); !errors.Is(err, ErrEvent) {
		t.Error("a prediction without a decision was taken")
	}
	d := *k.Sample.Decision
	d.Effect = "deny"
	e.Decision = &d
	if _, err := e.Canonical(); !errors.Is(err, ErrEvent) {
		t.Error("a prediction against its decision was taken")
	}
}

func TestKindCodesAreWords(t *testing.T) {
	for _, k := range Kinds() {
		if !regexp.MustCompile(`^[A-Z]+\.[A-Z]+\.[A-Z]+$`).MatchString(k.Code) {
			t.Errorf("%q", k.Code)
		}
	}
}

func FuzzParseLeaf(f *testing.F) {
	for _, k := range Kinds() {
		leaf, err := k.Sample.Canonical()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(leaf)
	}
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseLeaf(data)
		if err != nil {
			return
		}
		again, err := e.Canonical()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("taken, but not its own canonical form: %v", err)
		}
		if canonical, err := jcs.Transform(data); err != nil || !bytes.Equal(canonical, data) {
			t.Errorf("taken, but not RFC 8785: %v", err)
		}
	})
}
