package store

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/audit"
	"vitrine/web/db"
)

var (
	faults = flag.Bool("faults", false, "TestEverySystemCall fails each call, not every seventh")
	table  = flag.String("table", "", "`file` that TestEverySystemCall writes its table to")
)

// TestEverySystemCall has the calls that a process makes to open the log, to append one
// event, to include it and to close fail one after another: with an error of the disk,
// with no room on it, and with the death of the process. Whatever was acknowledged is in
// the log afterwards, and the log verifies. It needs strace, which .ci/run installs.
func TestEverySystemCall(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	dir := t.TempDir()
	base := filepath.Join(dir, "base")
	d, l := openFile(t, base, Options{Logger: silent()})
	fill(t, l, 3)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	out := &strings.Builder{}
	fmt.Fprintf(out, "| call | fault | failed in turn | event acknowledged | acknowledged and missing | log verifies afterwards |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, call := range []string{"pwrite64", "write", "fsync", "openat", "renameat", "ftruncate"} {
		for _, fault := range []string{"error=EIO", "error=ENOSPC", "signal=SIGKILL"} {
			var runs, kept, missing, sound int
			step := 7
			if *faults {
				step = 1
			}
			for n := 1; ; n += step {
				at := filepath.Join(dir, fmt.Sprintf("%s-%s-%d", call, fault, n))
				if err := os.CopyFS(at, os.DirFS(base)); err != nil {
					t.Fatal(err)
				}
				restrict(t, filepath.Join(at, "keys"))
				id, injected := failOne(t, at, call, fault, n)
				if !injected {
					break
				}
				runs++
				if id != "" {
					kept++
				}
				lost, verifies := checkAfter(t, at, id)
				if lost || !verifies {
					t.Errorf("after %s of the %s number %d: acknowledged and lost: %v, verifies: %v", fault, call, n, lost, verifies)
				}
				if lost {
					missing++
				}
				if verifies {
					sound++
				}
				os.RemoveAll(at)
			}
			fmt.Fprintf(out, "| %s | %s | %d | %d | %d | %d |\n", call, fault[strings.IndexByte(fault, '=')+1:], runs, kept, missing, sound)
		}
	}
	t.Log("\n" + out.String())
	if *table != "" && !t.Failed() {
		if err := os.WriteFile(*table, []byte(out.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// restrict gives a copied key folder its modes back.
func restrict(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if err := os.Chmod(filepath.Join(dir, f.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// failOne runs a process whose nth such call fails, and returns the event that it
// acknowledged, if any, and whether it came to that call.
func failOne(t *testing.T, dir, call, fault string, n int) (id string, injected bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-qq", "-o", trace, "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:%s:when=%d", call, fault, n), self)
	cmd.Env = append(os.Environ(), appendDir+"="+dir, "GOMAXPROCS=1")
	var stdout strings.Builder
	cmd.Stdout = &stdout
	_ = cmd.Run() // the process may well die
	seen, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	injected = strings.Contains(string(seen), "INJECTED") || strings.Contains(string(seen), "killed by SIGKILL")
	if line, _, whole := strings.Cut(stdout.String(), "\n"); whole {
		id = line
	}
	return id, injected
}

// checkAfter opens the log that the process left and says whether the event that it
// acknowledged, if any, is missing, and whether the log verifies.
func checkAfter(t *testing.T, dir, id string) (lost, verifies bool) {
	t.Helper()
	d, err := db.Open(t.Context(), dir)
	if err != nil {
		t.Error(err)
		return id != "", false
	}
	defer d.Close()
	l, err := Open(t.Context(), d, Options{Workspace: testWorkspace, KeysDir: dir + "/keys", Logger: silent()})
	if err != nil {
		t.Error(err)
		return id != "", false
	}
	defer l.Close(context.Background())
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	h, err := l.Verify(t.Context())
	verifies = err == nil && h.OK
	if id != "" {
		r, err := l.Receipt(t.Context(), id)
		lost = err != nil || r.Status != audit.Included
	}
	return lost, verifies
}
