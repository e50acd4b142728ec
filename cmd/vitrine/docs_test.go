package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentsNameWhatExists: each path in backticks, and each picture, of
// README and CONTRIBUTING is there.
func TestDocumentsNameWhatExists(t *testing.T) {
	const root = "../../"
	tops := regexp.MustCompile("`((?:cmd|web|views|explain|audit|inference|policy|static|\\.ci|\\.github)/[^` ]*)`|\\]\\(([^):]+)\\)")
	for _, doc := range []string{"README.md", "CONTRIBUTING.md"} {
		b, err := os.ReadFile(root + doc)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, m := range tops.FindAllStringSubmatch(string(b), -1) {
			path := m[1] + m[2]
			if strings.ContainsAny(path, "<") { // a pattern for a file to write
				path = filepath.Dir(path)
			}
			found++
			if _, err := os.Stat(root + path); err != nil {
				t.Errorf("%s names %s: %v", doc, path, err)
			}
		}
		if found < 3 {
			t.Errorf("%s: only %d paths found: the pattern no longer fits", doc, found)
		}
	}
}
