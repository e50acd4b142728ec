package policy

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	stringadapter "github.com/casbin/casbin/v2/persist/string-adapter"
)

// TestCSVReadsBack: what is written is read back whole, and Casbin's own reader
// makes the same policy of it.
func TestCSVReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	shippedRules, shippedGroups := Default("w1")
	for i := range 40 {
		rules, groups := randomPolicy(r)
		if i == 0 {
			rules, groups = shippedRules, shippedGroups
		}
		var b strings.Builder
		if err := WriteCSV(&b, rules, groups); err != nil {
			t.Fatal(err)
		}
		gotRules, gotGroups, err := ReadCSV(strings.NewReader(b.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if len(rules) > 0 && !reflect.DeepEqual(gotRules, rules) || len(groups) > 0 && !reflect.DeepEqual(gotGroups, groups) {
			t.Fatalf("read back\n%+v\nwrote\n%+v", gotRules, rules)
		}
		m, err := model.NewModelFromString(modelText)
		if err != nil {
			t.Fatal(err)
		}
		e, err := casbin.NewEnforcer(m, stringadapter.NewAdapter(b.String()))
		if err != nil {
			t.Fatalf("Casbin does not read the file: %v", err)
		}
		rows, err := e.GetPolicy()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[[6]string]bool{}
		for _, x := range rules {
			seen[[6]string{x.Subject, x.Workspace, x.Object, string(x.Action), x.Condition, x.Effect}] = true
		}
		for _, row := range rows {
			if !seen[[6]string(row)] {
				t.Errorf("Casbin reads %q, which was not written", row)
			}
			delete(seen, [6]string(row))
		}
		if len(seen) > 0 {
			t.Errorf("Casbin misses %v", seen)
		}
	}
}

func TestCSVRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"p, role:a, w1, model:*, predict, allow", "line 1"},
		{"\n# a remark\nq, x", "line 3"},
		{`p, "role:a`, "line 1"},
		{"#vitrine {\"id\":\"r-1\",\"x\":1}\n", "line 1"},
		{"#vitrine {\"id\":\"r-1\"}\n", "followed by no rule"},
		{"p, " + strings.Repeat("x", maxLine), "too long"},
		{strings.Repeat("#\n", maxCSV/2+1), "larger than"},
	} {
		_, _, err := ReadCSV(strings.NewReader(c.text))
		if !errors.Is(err, ErrCSV) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want it to say %q", c.text, err, c.want)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	var b strings.Builder
	rules, groups := Default("w1")
	if err := WriteCSV(&b, rules, append(groups, Grouping{Workspace: "w1", Member: "user:x", Role: "role:a"})); err != nil {
		f.Fatal(err)
	}
	f.Add(b.String())
	f.Add("p, role:a, w1, model:*, predict, \"purpose in {audit, research}\", allow\ng, user:x, role:a, w1")
	f.Fuzz(func(t *testing.T, text string) {
		rules, groups, err := ReadCSV(strings.NewReader(text))
		if err != nil {
			return
		}
		if _, err := Compile(1, rules, groups); err != nil {
			return
		}
		var b strings.Builder
		if err := WriteCSV(&b, rules, groups); err != nil {
			t.Fatal(err)
		}
		again, _, err := ReadCSV(strings.NewReader(b.String()))
		if err != nil || len(again) != len(rules) || len(rules) > 0 && !reflect.DeepEqual(again, rules) {
			t.Fatalf("does not read back: %v\n%+v\n%+v", err, again, rules)
		}
	})
}
