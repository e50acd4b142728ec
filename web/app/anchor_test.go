package app

import (
	"context"
	"errors"
	"strings"
	"testing"

	"vitrine/audit"
	"vitrine/policy"
)

// TestReceiptLeadsToTheRootLog checks a whole receipt as its holder would: the event in
// the log's checkpoint, that checkpoint in the root log.
func TestReceiptLeadsToTheRootLog(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	p := predict(t, a, c, PredictRequest{Model: textModel, Text: text("Good.")})
	if err := a.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := a.Receipt(ctx, c, p.Receipt.Event); err != nil || r.Root != nil || r.Index == nil {
		t.Fatal("anchored before anybody did", r, err)
	}
	if _, err := a.anchorHead(ctx); err != nil {
		t.Fatal(err)
	}
	predict(t, a, c, PredictRequest{Model: textModel, Text: text("Good.")})
	if err := a.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	r, err := a.Receipt(ctx, c, p.Receipt.Event)
	if err != nil || r.Root == nil {
		t.Fatal(r, err)
	}
	root, err := audit.ParseVerifierKey([]byte(r.Root.Key))
	if err != nil {
		t.Fatal(err)
	}
	f, err := audit.ParseProofFile([]byte(r.Root.Proof))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify(r.Root.Entry, root); err != nil {
		t.Error(err)
	}
	e, err := audit.ParseLeaf(r.Root.Entry)
	if err != nil {
		t.Fatal(err)
	}
	head, err := audit.OpenCheckpoint([]byte(r.Checkpoint), a.log.Verifier())
	if err != nil || head.TextDigest() != e.Digest || head.Size != e.Numbers["size"] {
		t.Error("the root log's entry names another checkpoint", err)
	}
	own, err := audit.ParseProofFile([]byte(r.Proof))
	if err != nil {
		t.Fatal(err)
	}
	entry, err := a.AuditEvent(ctx, a.Local(), *r.Index)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Verify(entry.Leaf, a.log.Verifier()); err != nil {
		t.Error(err)
	}
}

func TestRotateLogKey(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	before := a.VerifierKey()
	denied(t, func() error { _, err := a.RotateLogKey(ctx, caller(t, a, policy.Auditor), ""); return err }())
	k, err := a.RotateLogKey(ctx, a.Local(), "")
	if err != nil || k.Key == before || k.Key != a.VerifierKey() {
		t.Fatal(k, err)
	}
	list := events(t, a)
	if count(list, "LOG.ROTATED.OK") != 1 || count(list, "LOG.ROTATED.DENIED") != 1 {
		t.Error("not recorded")
	}
	if h, err := a.VerifyLog(ctx, a.Local()); err != nil || !h.OK {
		t.Error(h, err)
	}
	if _, err := a.Cosign(ctx, nil); !errors.Is(err, ErrNotFound) {
		t.Error("a witness nobody made one", err)
	}
	v, err := a.Consistency(ctx, a.Local(), 1, nil)
	if err != nil || v.To <= v.From || !strings.Contains(v.Log, a.LogID()) {
		t.Error(v, err)
	}
}
