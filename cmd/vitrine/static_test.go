package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestReleaseBinaryIsStatic builds the binary without cgo, as the Makefile does: it must not
// ask for a loader or for libc, so that it runs on any Linux.
func TestReleaseBinaryIsStatic(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "vitrine")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := f.Section(".dynamic"); s != nil {
		t.Error("the binary has a dynamic section")
	}
	if s := f.Section(".interp"); s != nil {
		t.Error("the binary asks for a loader")
	}
}
