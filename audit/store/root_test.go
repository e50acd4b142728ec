package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"vitrine/audit"
	"vitrine/audit/witness"
	"vitrine/web/db"
)

// openBoth opens a workspace's log and the root log on one database.
func openBoth(t *testing.T, dir string) (d *db.DB, l, root *Log) {
	t.Helper()
	d, l = open(t, dir, Options{})
	root, err := Open(t.Context(), d, Options{Workspace: RootName, KeysDir: dir + "/keys"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close(context.Background()) })
	return d, l, root
}

func appendN(t *testing.T, l *Log, n int) {
	t.Helper()
	for range n {
		if _, err := l.Append(t.Context(), denied("PREDICTION.MADE.DENIED")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestHeadsAreAnchoredInTheRootLog(t *testing.T) {
	_, l, root := openBoth(t, t.TempDir())
	appendN(t, l, 3)
	head, _, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var leaf string
	for range 2 { // the second time nothing is written
		a, err := root.Anchor(t.Context(), l.ID(), head)
		if err != nil {
			t.Fatal(err)
		}
		if leaf != "" && leaf != string(a.Leaf) {
			t.Error("the same head was anchored twice")
		}
		leaf = string(a.Leaf)
		f, err := audit.ParseProofFile(a.Proof)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := audit.ParseVerifierKey([]byte(a.VerifierKey))
		if _, err := f.Verify(a.Leaf, v); err != nil {
			t.Error(err)
		}
		e, err := audit.ParseLeaf(a.Leaf)
		if err != nil || e.Digest != head.TextDigest() || e.Object != "log:"+l.ID() || e.Numbers["size"] != head.Size {
			t.Error(e, err)
		}
	}
	if _, err := root.LastExternal(t.Context(), l.ID()); !errors.Is(err, ErrNotFound) {
		t.Error("an external anchor without a witness", err)
	}
}

// server answers add-checkpoint as the web does.
func server(t *testing.T, w *witness.Witness) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		lines, err := w.Add(r.Context(), body)
		var c *witness.Conflict
		switch {
		case errors.As(err, &c):
			rw.WriteHeader(http.StatusConflict)
			fmt.Fprintf(rw, "%d\n", c.Size)
		case err != nil:
			rw.WriteHeader(http.StatusForbidden)
		}
		rw.Write(lines)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestTwoInstallationsWitnessEachOther: the root log of one is cosigned by the other,
// through HTTP, over growth, a lost memory of the client, and a rotated key.
func TestTwoInstallationsWitnessEachOther(t *testing.T) {
	ctx := t.Context()
	_, l, root := openBoth(t, t.TempDir())
	other, _ := open(t, t.TempDir(), Options{})
	cosigner, err := audit.NewCosigner("witness.example")
	if err != nil {
		t.Fatal(err)
	}
	logs, err := audit.ParseTrust([]byte("log " + root.VerifierKey() + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Second)
	w := &witness.Witness{Cosigner: cosigner, Trust: logs, Store: NewSeen(other), Now: func() time.Time { return at }}
	trust, err := audit.ParseTrust([]byte("witness W " + cosigner.VerifierKey() + " " + server(t, w) + "\nquorum W\n"))
	if err != nil {
		t.Fatal(err)
	}
	for round := range 4 {
		appendN(t, l, 2)
		head, _, err := l.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if round == 3 { // under another key, which the witness learns of
			decision := *denied("PREDICTION.MADE.DENIED").Decision
			decision.Effect, decision.Reason = "allow", "allowed-by-rule"
			if err := root.Rotate(ctx, audit.Event{Actor: "user:local", Action: "key.manage", Decision: &decision}); err != nil {
				t.Fatal(err)
			}
			more, err := audit.ParseTrust([]byte("log " + root.VerifierKey() + "\nlog " + logs.Logs[0].VerifierKey + "\nquorum none\n"))
			if err != nil {
				t.Fatal(err)
			}
			w.Trust = more
		}
		if _, err := root.Anchor(ctx, l.ID(), head); err != nil {
			t.Fatal(err)
		}
		c := &witness.Client{Log: root, Trust: trust} // remembers nothing: starts from 0
		if enough, err := c.Run(ctx); err != nil || !enough {
			t.Fatal(round, enough, err)
		}
		if enough, err := c.Run(ctx); err != nil || !enough {
			t.Fatal(round, enough, err)
		}
		x, err := root.LastExternal(ctx, l.ID())
		if err != nil || x.Size != head.Size || !x.Time.Equal(at) || x.Witnesses != "witness.example" {
			t.Error(round, x, err)
		}
		a, err := root.Anchor(ctx, l.ID(), head)
		if err != nil {
			t.Fatal(err)
		}
		f, err := audit.ParseProofFile(a.Proof)
		if err != nil {
			t.Fatal(err)
		}
		if _, enough, err := trust.Witnessed(f.Checkpoint); err != nil || !enough {
			t.Error("the proof's checkpoint is not cosigned", err)
		}
	}
	// Another log that signs with the same key is found out.
	signed, err := audit.Checkpoint{Origin: root.Origin(), Size: 100, Root: audit.LeafHash(nil), Time: at}.Sign(root.Signer())
	if err != nil {
		t.Fatal(err)
	}
	var conflict *witness.Conflict
	_, err = w.Add(ctx, audit.AddCheckpoint{Checkpoint: signed}.Marshal())
	if !errors.As(err, &conflict) {
		t.Fatal(err)
	}
	size, proof := conflict.Size, []byte(nil)
	p, err := root.Consistency(ctx, size, size-1)
	if err != nil {
		t.Fatal(err)
	}
	proof = audit.AddCheckpoint{Old: size, Proof: p, Checkpoint: signed}.Marshal()
	if _, err := w.Add(ctx, proof); !errors.Is(err, audit.ErrProof) {
		t.Error("a forked log was cosigned", err)
	}
	stranger, _ := audit.NewSigner()
	signed, _ = audit.Checkpoint{Origin: stranger.Name(), Root: audit.EmptyRoot(), Time: at}.Sign(stranger)
	if _, err := w.Add(ctx, audit.AddCheckpoint{Checkpoint: signed}.Marshal()); !errors.Is(err, witness.ErrUnknownLog) {
		t.Error(err)
	}
	forged := strings.Replace(string(signed), stranger.Name()+"\n", root.Origin()+"\n", 1)
	if _, err := w.Add(ctx, audit.AddCheckpoint{Checkpoint: []byte(forged)}.Marshal()); !errors.Is(err, witness.ErrForbidden) {
		t.Error(err)
	}
}

// TestRotatedKey: the log goes on under the new key, verifies as a whole, and opens
// again; a crash between commit and rename is finished at the next start.
func TestRotatedKey(t *testing.T) {
	dir := t.TempDir()
	d, l := open(t, dir, Options{})
	appendN(t, l, 300)
	before := l.VerifierKey()
	decision := *denied("PREDICTION.MADE.DENIED").Decision
	decision.Effect, decision.Reason = "allow", "allowed-by-rule"
	for range 2 {
		if err := l.Rotate(t.Context(), audit.Event{Actor: "user:local", Action: "key.manage", Decision: &decision}); err != nil {
			t.Fatal(err)
		}
		appendN(t, l, 2)
	}
	if l.VerifierKey() == before {
		t.Fatal("the key is the same")
	}
	check := func(l *Log) {
		t.Helper()
		h, err := l.Verify(t.Context())
		if err != nil || !h.OK {
			t.Fatal(h, err)
		}
		list, err := l.Successions(t.Context())
		if err != nil || len(list) != 2 {
			t.Fatal(len(list), err)
		}
		key := before
		for _, s := range list {
			x, err := audit.OpenSuccession(s)
			if err != nil || x.Old != key {
				t.Fatal(x, err)
			}
			key = x.New
		}
		if key != l.VerifierKey() {
			t.Error("the chain does not lead to the present key")
		}
	}
	check(l)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Close()
	// As if the process had ended before the files were renamed.
	if err := os.Rename(l.keyFile(), l.nextFile()); err != nil {
		t.Fatal(err)
	}
	old, err := audit.CreateSigner(l.keyFile())
	if err != nil || old == nil {
		t.Fatal(err)
	}
	_, again := open(t, dir, Options{})
	check(again)
	appendN(t, again, 1)
	check(again)
}

func TestConsistencyBetweenAnyTwoCheckpoints(t *testing.T) {
	_, l := open(t, t.TempDir(), Options{})
	for n := range 5 {
		appendN(t, l, n*70)
	}
	heads, more, err := l.Heads(t.Context(), 0, MaxPage)
	if err != nil || more || len(heads) < 5 {
		t.Fatal(len(heads), more, err)
	}
	step := max(len(heads)/12, 1)
	for i := 0; i < len(heads); i += step {
		for j := 0; j < len(heads); j += step {
			a, b := heads[i], heads[j]
			if a.Size > b.Size {
				continue
			}
			from, to, p, err := l.Between(t.Context(), a.Size, b.Size)
			if err != nil {
				t.Fatal(a.Size, b.Size, err)
			}
			old, err1 := audit.OpenCheckpoint(a.Signed, l.Verifier())
			now, err2 := audit.OpenCheckpoint(b.Signed, l.Verifier())
			if err1 != nil || err2 != nil || old.Root != from || now.Root != to || audit.VerifyConsistency(p, old, now) != nil {
				t.Fatal(a.Size, b.Size, err1, err2)
			}
		}
	}
	if _, _, _, err := l.Between(t.Context(), 3, heads[0].Size+1); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	part, more, err := l.Heads(t.Context(), heads[1].ID, 1)
	if err != nil || !more || len(part) != 1 || part[0].ID != heads[2].ID {
		t.Error(part, more, err)
	}
}
