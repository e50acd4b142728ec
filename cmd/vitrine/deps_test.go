package main

import (
	"os/exec"
	"sort"
	"strings"
	"testing"
)

// pkgImports is one package of ours with what it imports, tests left out.
type pkgImports struct {
	path string
	deps map[string]bool // transitive
	uses map[string]bool // direct
}

func load(t *testing.T) []pkgImports {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}\t{{join .Imports \",\"}}\t{{join .Deps \",\"}}", "vitrine/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkgImports
	for _, line := range strings.Split(strings.TrimRight(string(out), "\n"), "\n") {
		f := strings.Split(line, "\t")
		p := pkgImports{path: f[0], uses: map[string]bool{}, deps: map[string]bool{}}
		for _, d := range strings.Split(f[1], ",") {
			p.uses[d] = true
		}
		for _, d := range strings.Split(f[2], ",") {
			p.deps[d] = true
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < 20 {
		t.Fatalf("go list found only %d packages: the rules below would prove nothing", len(pkgs))
	}
	return pkgs
}

func under(path string, roots ...string) bool {
	for _, r := range roots {
		if path == r || strings.HasPrefix(path, r+"/") {
			return true
		}
	}
	return false
}

// store says whether a package is the database side of another one.
func store(path string) bool { return strings.HasSuffix(path, "/store") }

// forbidden lists, for a package of ours, the packages of ours that it must not
// depend on, even indirectly.
func forbidden(from string) func(to string) bool {
	switch {
	case under(from, "vitrine/inference"):
		return func(to string) bool { return !under(to, "vitrine/inference") }
	case under(from, "vitrine/static"):
		return func(to string) bool { return !under(to, "vitrine/static") }
	case under(from, "vitrine/explain"):
		return func(to string) bool { return !under(to, "vitrine/explain", "vitrine/inference") }
	case store(from) && under(from, "vitrine/audit", "vitrine/policy"):
		other := map[bool]string{true: "vitrine/policy", false: "vitrine/audit"}[under(from, "vitrine/audit")]
		return func(to string) bool {
			return under(to, other, "vitrine/explain", "vitrine/inference", "vitrine/views", "vitrine/cmd", "vitrine/web/app")
		}
	case under(from, "vitrine/audit"):
		return func(to string) bool { return !under(to, "vitrine/audit") }
	case under(from, "vitrine/policy"):
		return func(to string) bool { return !under(to, "vitrine/policy") }
	case under(from, "vitrine/views"):
		return func(to string) bool { return under(to, "vitrine/web", "vitrine/cmd") || store(to) }
	case under(from, "vitrine/web/app"):
		return func(to string) bool { return to == "vitrine/web" || under(to, "vitrine/views", "vitrine/cmd") }
	}
	return func(to string) bool { return under(to, "vitrine/cmd") && from != to }
}

// only says who may import a third-party package directly.
var only = map[string]func(from string) bool{
	"github.com/labstack/echo/v4": func(p string) bool { return p == "vitrine/web" || under(p, "vitrine/web/webtest") },
	"github.com/a-h/templ":        func(p string) bool { return p == "vitrine/web" || under(p, "vitrine/views") },
	"github.com/casbin/casbin/v2": func(p string) bool { return p == "vitrine/policy" },
	"gorm.io":                     func(p string) bool { return store(p) || under(p, "vitrine/web/db", "vitrine/web/job") },
	"github.com/riverqueue":       func(p string) bool { return under(p, "vitrine/web/job", "vitrine/web/db") },
	"github.com/signintech":       func(p string) bool { return p == "vitrine/views/pdf" },
	"github.com/chromedp":         func(p string) bool { return false },
}

func TestDependencyRules(t *testing.T) {
	var bad []string
	for _, p := range load(t) {
		no := forbidden(p.path)
		for d := range p.deps {
			if strings.HasPrefix(d, "vitrine/") && no(d) {
				bad = append(bad, p.path+" must not depend on "+d)
			}
		}
		for d := range p.uses {
			for lib, may := range only {
				if under(d, lib) && !may(p.path) {
					bad = append(bad, p.path+" must not import "+d)
				}
			}
		}
	}
	sort.Strings(bad)
	for _, b := range bad {
		t.Error(b)
	}
}

// TestOneFileImportsCasbin keeps the evaluator replaceable.
func TestOneFileImportsCasbin(t *testing.T) {
	out, err := exec.Command("grep", "-rlE", `"github.com/casbin/`, "--include=*.go", "--exclude=*_test.go", "../../policy").Output()
	if err != nil {
		t.Fatalf("grep: %v", err)
	}
	if got := strings.Fields(string(out)); len(got) != 1 || got[0] != "../../policy/snapshot.go" {
		t.Errorf("casbin is imported by %v, want only policy/snapshot.go", got)
	}
}
