package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vitrine": main})
}

// TestCommands runs the command line as a user would, each script in a folder
// of its own with a data folder of its own.
func TestCommands(t *testing.T) {
	root, err := filepath.Abs("../../inference/conformance/testdata/golden/family")
	if err != nil {
		t.Fatal(err)
	}
	goldenRoot = root
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_DATA_HOME", e.WorkDir+"/share")
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: scriptCommands,
	})
}
