package report_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitrine/audit"
	"vitrine/audit/report"
	"vitrine/audit/store"
	"vitrine/web/db"
)

// openRooted opens a log with some refusals and the root log, in one database.
func openRooted(t *testing.T) (l, root *store.Log) {
	t.Helper()
	dir := t.TempDir()
	d, err := db.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for name, to := range map[string]**store.Log{"default": &l, store.RootName: &root} {
		x, err := store.Open(t.Context(), d, store.Options{Workspace: name, KeysDir: filepath.Join(dir, "keys")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close(context.Background()) })
		*to = x
	}
	refuse(t, l, 20)
	return l, root
}

func refuse(t *testing.T, l *store.Log, n int) {
	t.Helper()
	for range n {
		if _, err := l.Append(t.Context(), refusal()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func rooted(t *testing.T, l, root *store.Log, o report.PackOptions) report.PackOptions {
	t.Helper()
	o.Root = func(ctx context.Context, c audit.Checkpoint) (*report.Rooted, error) {
		a, err := root.Anchor(ctx, l.ID(), c)
		if err != nil {
			return nil, err
		}
		return &report.Rooted{Leaf: a.Leaf, Proof: a.Proof, VerifierKey: a.VerifierKey}, nil
	}
	var err error
	if o.Successions, err = l.Successions(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestPackInTheRootLog: the pack's checkpoint is proved to be in the root log, whose
// own is cosigned or not, and every byte of that counts.
func TestPackInTheRootLog(t *testing.T) {
	l, root := openRooted(t)
	cosigner, err := audit.NewCosigner("w.example")
	if err != nil {
		t.Fatal(err)
	}
	policy := "witness W " + cosigner.VerifierKey() + "\nquorum W\n"
	trust, err := audit.ParseTrust([]byte("log " + root.VerifierKey() + "\n" + policy))
	if err != nil {
		t.Fatal(err)
	}
	o := rooted(t, l, root, options(3, 9))
	o.Trust = []byte(policy)
	check := func(data []byte, trust *audit.Trust) *report.VerifyResult {
		v := trusting(l)
		v.Trust = trust
		return verify(t, data, v)
	}
	plain := pack(t, l, o)
	if r := check(plain, nil); r.Verdict != report.Fine || r.RootLog != root.Origin() || len(r.Witnesses) != 0 {
		t.Errorf("%+v", r)
	}
	if r := check(plain, trust); r.Verdict != report.Undecided || !strings.Contains(r.Sentence(), "witness") {
		t.Errorf("no witness cosigned: %+v", r)
	}
	head, signed, err := root.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_760_000_000_000).UTC()
	with := append(signed, cosigner.Cosign(head.Text(), at)...)
	if err := root.SaveWitnessed(t.Context(), with, []audit.Cosignature{{Witness: "w.example", Time: at}}); err != nil {
		t.Fatal(err)
	}
	data := pack(t, l, o)
	if r := check(data, trust); r.Verdict != report.Fine || !slices.Equal(r.Witnesses, []string{"w.example " + audit.FormatTime(at)}) {
		t.Errorf("%+v", r)
	}
	other, err := audit.ParseTrust([]byte("log " + l.VerifierKey() + "\n" + policy))
	if err != nil {
		t.Fatal(err)
	}
	if r := check(data, other); r.ExitCode != 1 {
		t.Errorf("another root log passes: %+v", r)
	}
	names, files := unzip(t, data)
	for _, name := range []string{"root/entry.json", "root/entry.tlog-proof", "keys/root.pub", "keys/trust-policy", "events.ocsf.jsonl"} {
		good := files[name]
		for at := 0; at < len(good); at += max(len(good)/40, 1) {
			bad := bytes.Clone(good)
			bad[at] ^= 1
			files[name] = bad
			if r := check(rezip(t, names, files), nil); r.ExitCode != 1 || !named(r, name) {
				t.Fatalf("byte %d of %s: %+v", at, name, r)
			}
		}
		files[name] = good
	}
}

// TestPackAfterRotation: whoever trusts the old key or the new one can check it.
func TestPackAfterRotation(t *testing.T) {
	l, root := openRooted(t)
	old := l.VerifierKey()
	first := pack(t, l, options(0, 5))
	decision := *refusal().Decision
	decision.Effect = "allow"
	if err := l.Rotate(t.Context(), audit.Event{Actor: "user:local", Action: "key.manage", Decision: &decision}); err != nil {
		t.Fatal(err)
	}
	refuse(t, l, 10)
	data := pack(t, l, rooted(t, l, root, options(22, 30)))
	redecide := trusting(l).Redecider
	for _, key := range []string{old, l.VerifierKey()} {
		r := verify(t, data, report.VerifyOptions{Key: []byte(key), Redecider: redecide})
		if r.ExitCode != 0 || !r.KeyTrusted {
			t.Errorf("%+v", r)
		}
	}
	stranger, err := audit.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, data, report.VerifyOptions{Key: []byte(stranger.VerifierKey), Redecider: redecide}); r.ExitCode != 1 {
		t.Errorf("a stranger's key passes: %+v", r)
	}
	// It continues the pack made before, under the old key.
	path := filepath.Join(t.TempDir(), "first.zip")
	if err := os.WriteFile(path, first, 0o600); err != nil {
		t.Fatal(err)
	}
	o := rooted(t, l, root, options(22, 30))
	o.Continues = []int64{21}
	r := verify(t, pack(t, l, o), report.VerifyOptions{Key: []byte(old), Redecider: redecide, Previous: path})
	if r.ExitCode != 0 {
		t.Errorf("%+v", r)
	}
}

// TestPackContinuesTheLast: a log that was cut, or made anew under the same key, does
// not continue what was exported before.
func TestPackContinuesTheLast(t *testing.T) {
	l, root := openRooted(t)
	head, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*audit.Checkpoint)
		exit   int
	}{
		"same":   {func(*audit.Checkpoint) {}, 0},
		"forked": {func(c *audit.Checkpoint) { c.Root[0] ^= 1 }, 1},
		"ahead":  {func(c *audit.Checkpoint) { c.Size += 100 }, 1},
	} {
		before := head
		c.change(&before)
		signed, err := before.Sign(l.Signer())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "checkpoint")
		if err := os.WriteFile(path, signed, 0o600); err != nil {
			t.Fatal(err)
		}
		o := trusting(l)
		o.Previous = path
		p := rooted(t, l, root, options(15, 20))
		p.Continues = []int64{head.Size}
		if r := verify(t, pack(t, l, p), o); r.ExitCode != c.exit {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
