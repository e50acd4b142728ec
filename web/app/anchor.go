package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"vitrine/audit"
	auditstore "vitrine/audit/store"
	"vitrine/audit/witness"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// anchorEvery is the time between two looks at whether the log's head is in the root
// log and cosigned.
const anchorEvery = time.Minute

// openRoot opens the root log, and with a trust policy both ends of witnessing.
func (a *App) openRoot(ctx context.Context) (err error) {
	a.root, err = auditstore.Open(ctx, a.db, auditstore.Options{
		Workspace: auditstore.RootName, KeysDir: a.keysDir(), Now: a.config.Now, Logger: a.config.Logger, AcceptRestore: a.config.AcceptRestore,
	})
	if err != nil || a.config.Trust == nil {
		return err
	}
	if a.trust, err = audit.ParseTrust(a.config.Trust); err != nil {
		return err
	}
	a.witnesses = &witness.Client{Log: a.root, Trust: a.trust}
	if a.config.WitnessName == "" {
		return nil
	}
	key, err := audit.OpenCosigner(filepath.Join(a.keysDir(), "witness.key"), a.config.WitnessName)
	if err != nil {
		return err
	}
	a.witness = &witness.Witness{Cosigner: key, Trust: a.trust, Store: auditstore.NewSeen(a.db), Now: a.config.Now}
	return nil
}

// closeRoot anchors the last head and closes the root log.
func (a *App) closeRoot(ctx context.Context) (err error) {
	a.closing.Do(func() { _, err = a.anchorHead(ctx) })
	if errors.Is(err, auditstore.ErrRolledBack) || errors.Is(err, auditstore.ErrDamaged) {
		err = nil // said while it ran
	}
	return errors.Join(err, a.root.Close(ctx))
}

// anchorHead puts the log's present head into the root log.
func (a *App) anchorHead(ctx context.Context) (*auditstore.Anchored, error) {
	head, _, err := a.log.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	return a.root.Anchor(ctx, a.log.ID(), head)
}

// anchor keeps the root log up to date, and cosigned, until ctx ends.
func (a *App) anchor(ctx context.Context) {
	for {
		if !a.db.Lead(ctx, "anchor") {
			// another process on the database does it
		} else if _, err := a.anchorHead(ctx); err != nil && ctx.Err() == nil {
			a.config.Logger.Error("the log's head is not in the root log", "error", err)
		} else if err == nil {
			a.cosign(ctx)
		}
		select {
		case <-time.After(anchorEvery):
		case <-ctx.Done():
			return
		}
	}
}

// cosign asks the witnesses, where there are any.
func (a *App) cosign(ctx context.Context) {
	if a.witnesses == nil {
		return
	}
	if _, err := a.witnesses.Run(ctx); err != nil && ctx.Err() == nil {
		a.config.Logger.Warn("not every witness cosigned", "error", err)
	}
}

// rooted completes a receipt with the root log's entry. The proof then stands in the
// checkpoint that this entry names, where it covers the event.
func (a *App) rooted(ctx context.Context, v *ReceiptView) error {
	if v.Index == nil {
		return nil
	}
	last, err := a.root.LatestAnchored(ctx, a.log.ID())
	if errors.Is(err, auditstore.ErrNotFound) || err == nil && last.Size <= *v.Index {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := a.log.ReceiptAt(ctx, v.Event, last.Size, last.Digest)
	if errors.Is(err, auditstore.ErrNotFound) { // of an origin before a restore
		return nil
	}
	if err != nil {
		return auditError(err)
	}
	v.Checkpoint, v.Proof = r.Checkpoint, string(r.File())
	v.Root = &RootView{Entry: last.Leaf, Proof: string(last.Proof), Key: last.VerifierKey}
	return nil
}

// RootLogID is the random name of the root log, as in /log/{id}/.
func (a *App) RootLogID() string { return a.root.ID() }

// CheckpointView is a signed checkpoint of the log.
type CheckpointView struct {
	Size   int64     `json:"size"`
	Time   time.Time `json:"time"`
	Signed string    `json:"signed"` // the note
}

// Checkpoints lists the checkpoints of the log, newest first.
func (a *App) Checkpoints(ctx context.Context, c identity.Caller, p Page) (items []CheckpointView, next string, err error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
		return nil, "", err
	}
	before := int64(0)
	if p.Before != "" {
		if before, err = strconv.ParseInt(p.Before, 10, 64); err != nil || before < 1 {
			return nil, "", fail(ErrInput, "use the cursor that the part before ended with", "the cursor is not one of this list's")
		}
	}
	if p.Limit == 0 {
		p.Limit = 50
	}
	list, more, err := a.log.Heads(ctx, before, min(max(p.Limit, 1), 200))
	if err != nil {
		return nil, "", err
	}
	items = []CheckpointView{}
	for _, h := range list {
		at, _ := audit.ParseTime(h.Time)
		items = append(items, CheckpointView{Size: h.Size, Time: at, Signed: string(h.Signed)})
	}
	if more {
		next = strconv.FormatInt(list[len(list)-1].ID, 10)
	}
	return items, next, nil
}

// ConsistencyView proves that the tree of From entries is a prefix of the tree of To
// entries (RFC 6962 §2.1.2).
type ConsistencyView struct {
	Log      string   `json:"log"`
	From     int64    `json:"from"`
	FromRoot string   `json:"from_root"` // base64
	To       int64    `json:"to"`
	ToRoot   string   `json:"to_root"`
	Proof    []string `json:"proof"` // base64 hashes
}

// Consistency returns the proof between two sizes of the log; to = nil is its present
// one. ErrNotFound for sizes that it does not have.
func (a *App) Consistency(ctx context.Context, c identity.Caller, from int64, to *int64) (*ConsistencyView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
		return nil, err
	}
	v := &ConsistencyView{Log: a.log.Origin(), From: from, Proof: []string{}}
	if to != nil {
		v.To = *to
	} else {
		head, _, err := a.log.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		v.To = head.Size
	}
	old, now, proof, err := a.log.Between(ctx, v.From, v.To)
	if errors.Is(err, auditstore.ErrNotFound) {
		return nil, fail(ErrNotFound, "give two sizes of the log, the smaller one as from", "the log has no two trees of these sizes")
	}
	if err != nil {
		return nil, err
	}
	v.FromRoot, v.ToRoot = encodeHash(old), encodeHash(now)
	for _, h := range proof {
		v.Proof = append(v.Proof, encodeHash(h))
	}
	return v, nil
}

// LogKeyView is the log's public key.
type LogKeyView struct {
	Log         string `json:"log"`
	Key         string `json:"key"` // one line, as vitrine verify --key takes it
	Fingerprint string `json:"fingerprint"`
}

// RotateLogKey makes a new key the log's. The old one signs who follows it.
func (a *App) RotateLogKey(ctx context.Context, c identity.Caller, request string) (*LogKeyView, error) {
	d, err := a.allow(ctx, ask{caller: c, action: policy.KeyManage, request: requestID(request), denied: "LOG.ROTATED.DENIED",
		event: func(e *audit.Event) { e.Object = "log:" + a.log.ID() }})
	if err != nil {
		return nil, err
	}
	err = a.log.Rotate(ctx, audit.Event{Actor: c.ID, Auth: c.Auth, Request: requestID(request), Action: string(policy.KeyManage), Decision: decisionLeaf(d)})
	if err != nil {
		return nil, fmt.Errorf("app: rotating the log's key: %w", err)
	}
	key := a.log.VerifierKey()
	return &LogKeyView{Log: a.log.Origin(), Key: key, Fingerprint: audit.Fingerprint(key)}, nil
}

// Cosign answers a request of another log to this installation as its witness with the
// cosignature. Errors: ErrNotFound where it is nobody's witness or not that log's; those of
// the package witness.
func (a *App) Cosign(ctx context.Context, body []byte) ([]byte, error) {
	if a.witness == nil {
		return nil, notFound("witness")
	}
	return a.witness.Add(ctx, body)
}

// WitnessKey is this installation's public key as a witness; "" where it is none.
func (a *App) WitnessKey() string {
	if a.witness == nil {
		return ""
	}
	return a.witness.Cosigner.VerifierKey()
}
