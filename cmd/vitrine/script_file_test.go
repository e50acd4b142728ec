package main

import (
	"archive/zip"
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"vitrine/inference/conformance/chain"
)

// scriptCommands are the words of the scripts beside those of testscript.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"tamper": tamper, "same": same, "freeport": freePort, "awaitfile": awaitFile, "setfrom": setFrom, "exits": exits,
	"unzip": unzip, "golden": golden, "truncate": truncate, "header63": header63, "edit": edit, "newer": newer, "chain": writeChain,
}

// freePort NAME sets NAME to a port that nobody listens on.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv(args[0], port)
}

// awaitFile FILE waits until the file is there.
func awaitFile(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("%s did not come", args[0])
}

// setFrom NAME FILE PATH sets NAME to a text of a JSON file.
func setFrom(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.Trim(at(ts, args[1], args[2]), `"`))
}

// exits CODE COMMAND... runs a command that must end with that code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", args[1], got, want)
	}
}

// unzip FILE FOLDER unpacks an evidence pack.
func unzip(ts *testscript.TestScript, _ bool, args []string) {
	z, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer z.Close()
	for _, f := range z.File {
		if !filepath.IsLocal(f.Name) {
			ts.Fatalf("the pack holds %q", f.Name)
		}
		r, err := f.Open()
		ts.Check(err)
		data, err := io.ReadAll(r)
		ts.Check(err)
		path := filepath.Join(ts.MkAbs(args[1]), f.Name)
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
		ts.Check(os.WriteFile(path, data, 0o600))
	}
}

// goldenRoot is set by TestCommands, before scripts change the folder.
var goldenRoot string

// golden NAME FOLDER copies the checkpoint of a golden folder.
func golden(ts *testscript.TestScript, _ bool, args []string) {
	from, to := filepath.Join(goldenRoot, args[0]), ts.MkAbs(args[1])
	ts.Check(os.CopyFS(to, os.DirFS(from)))
}

// writeChain FOLDER makes the model that always says chain.Story.
func writeChain(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(chain.Write(ts.MkAbs(args[0])))
}

// truncate FILE SIZE cuts a file.
func truncate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// header63 FILE makes a safetensors file claim a header of 2^63 bytes.
func header63(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	binary.LittleEndian.PutUint64(b, 1<<63)
	ts.Check(os.WriteFile(path, b, 0o600))
}

// edit FILE OLD NEW replaces the first OLD.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if !bytes.Contains(b, []byte(args[1])) {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.Replace(b, []byte(args[1]), []byte(args[2]), 1), 0o600))
}

// newer FILE marks a database as written by a program of the future.
func newer(ts *testscript.TestScript, _ bool, args []string) {
	d, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer d.Close()
	_, err = d.Exec("INSERT INTO schema_migrations (number, name, applied) VALUES (9999, 'from the future', 0)")
	ts.Check(err)
}
