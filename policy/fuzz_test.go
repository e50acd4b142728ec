package policy

import "testing"

func FuzzCondition(f *testing.F) {
	for _, s := range []string{"", "purpose in {research, audit}", "data_class <= personal and method not in {a}", "purpose in {", "auth in {password} and"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := compileCondition(s)
		if err != nil {
			return
		}
		again, err := compileCondition(c.String())
		if err != nil || again.String() != c.String() {
			t.Fatalf("%q → %q does not read back: %v", s, c.String(), err)
		}
	})
}

func FuzzParse(f *testing.F) {
	rules, groups := Default("w1")
	s, err := Compile(1, rules, groups)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Bytes())
	f.Add([]byte(`{"format":"vitrine-policy/1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err == nil && string(s.Bytes()) != string(data) {
			t.Fatal("accepted bytes that are not canonical")
		}
	})
}
