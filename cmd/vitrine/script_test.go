package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// tamper FILE OFFSET flips the lowest bit of one byte; a negative offset counts
// from the end.
func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tamper file offset")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// same FILE FILE PATH... checks that two JSON files hold the same bytes at each
// path, written like explanation.attributions.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: same file file path...")
	}
	for _, path := range args[2:] {
		a, b := at(ts, args[0], path), at(ts, args[1], path)
		if (a == b) == neg {
			ts.Fatalf("%s: %.200s and %.200s", path, a, b)
		}
	}
}

func at(ts *testscript.TestScript, file, path string) string {
	b, err := os.ReadFile(ts.MkAbs(file))
	ts.Check(err)
	raw := json.RawMessage(b)
	for _, key := range strings.Split(path, ".") {
		var m map[string]json.RawMessage
		ts.Check(json.Unmarshal(raw, &m))
		v, ok := m[key]
		if !ok {
			ts.Fatalf("%s has no %s", file, path)
		}
		raw = v
	}
	return strings.Join(strings.Fields(string(raw)), "")
}
