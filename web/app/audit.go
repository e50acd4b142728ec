package app

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
	auditstore "vitrine/audit/store"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// auditError brings an error of the log into this package's terms.
func auditError(err error) error {
	switch {
	case errors.Is(err, auditstore.ErrNotFound):
		return notFound("entry in the log")
	case errors.Is(err, auditstore.ErrQuery):
		return fail(ErrInput, "change the filter", "%s", plain(err))
	}
	return err
}

// query is a filter in the log's own terms.
func (q EventQuery) query() auditstore.Query {
	model, _, _ := strings.Cut(q.Model, "@")
	out := auditstore.Query{Actor: q.Actor, Model: model, Object: q.Object, Decision: q.Decision, Text: q.Text, After: q.After, Before: q.Until, First: q.From}
	out.Kinds = strings.FieldsFunc(strings.ToUpper(q.Kind), func(r rune) bool { return r == ',' || r == ' ' })
	if q.To != nil {
		last := *q.To - 1
		out.Last = &last
	}
	return out
}

// AuditWords is how many of the newest entries are read for a word that is no identifier.
const AuditWords = auditstore.WordWindow

// AuditEvents lists the log's entries that match, newest first.
func (a *App) AuditEvents(ctx context.Context, c identity.Caller, q EventQuery) (*EventList, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
		return nil, err
	}
	filter := q.query()
	counts, err := a.log.Facets(ctx, filter)
	if err != nil {
		return nil, auditError(err)
	}
	if q.Before != "" {
		n, err := strconv.ParseInt(q.Before, 10, 64)
		if err != nil || n < 0 {
			return nil, fail(ErrInput, "use the cursor that the part before ended with", "the cursor is not one of this list's")
		}
		filter.Cursor = &n
	}
	filter.Limit = min(max(q.Limit, 0), 200)
	page, err := a.log.Events(ctx, filter)
	if err != nil {
		return nil, auditError(err)
	}
	head, _, err := a.log.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	list := &EventList{Items: []EventView{}, Total: counts.Total, More: counts.More, Size: head.Size, Kinds: countViews(counts.Kinds),
		Decisions: countViews(counts.Decisions), Models: countViews(counts.Models)}
	for _, e := range page.Entries {
		list.Items = append(list.Items, eventView(e))
	}
	if page.Next != nil {
		list.Next = strconv.FormatInt(*page.Next, 10)
	}
	return list, nil
}

func countViews(list []auditstore.Count) []CountView {
	out := make([]CountView, len(list))
	for i, c := range list {
		out[i] = CountView{Value: c.Value, N: c.N}
	}
	return out
}

func eventView(e auditstore.Entry) EventView {
	at, _ := audit.ParseTime(e.Event.Time)
	v := EventView{Index: e.Index, ID: e.Event.ID, Code: e.Event.Code, Time: at, Actor: e.Event.Actor, Action: e.Event.Action,
		Object: e.Event.Object, Purpose: e.Event.Purpose, Reason: e.Event.Reason, LeafHash: hex.EncodeToString(e.Hash[:]), Leaf: e.Leaf}
	if m := e.Event.Model; m != nil {
		v.Model = ModelRef{Name: m.ID, Version: m.Version, Digest: m.Digest}
	}
	if d := e.Event.Decision; d != nil {
		v.Effect, v.RuleIDs, v.Policy = d.Effect, d.Rules, d.PolicyVersion
		if v.Reason == "" {
			v.Reason = d.Reason
		}
		if v.Purpose == "" {
			v.Purpose = d.Asked.Context["purpose"]
		}
	}
	return v
}

// AuditEvent returns one entry with its inclusion proof, drawn out step by step and
// recomputed.
func (a *App) AuditEvent(ctx context.Context, c identity.Caller, index int64) (*EventDetail, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
		return nil, err
	}
	if index < 0 {
		return nil, notFound("entry in the log")
	}
	e, err := a.log.Event(ctx, strconv.FormatInt(index, 10))
	if err != nil {
		return nil, auditError(err)
	}
	r, err := a.log.Receipt(ctx, e.Event.ID)
	if err != nil {
		return nil, auditError(err)
	}
	head, err := audit.OpenCheckpoint([]byte(r.Checkpoint), a.log.Verifier())
	if err != nil {
		return nil, err
	}
	proof, err := a.log.Prove(ctx, head.Size, index)
	if err != nil {
		return nil, auditError(err)
	}
	computed, steps := path(proof, 0, head.Size, index, e.Hash)
	d := &EventDetail{
		EventView: eventView(e), Steps: steps, Root: encodeHash(head.Root), Computed: encodeHash(computed),
		Included: computed == head.Root, TreeSize: head.Size, Checkpoint: r.Checkpoint, Proof: string(r.File()),
	}
	if index > 0 {
		n := index - 1
		d.Previous = &n
	}
	if index+1 < head.Size {
		n := index + 1
		d.Next = &n
	}
	return d, nil
}

func encodeHash(h tlog.Hash) string { return base64.StdEncoding.EncodeToString(h[:]) }

// path walks an inclusion proof of leaf n in the tree over [lo, hi), as RFC 6962 §2.1.1
// defines it, and returns the root it gives with every step, leaf first.
func path(proof tlog.RecordProof, lo, hi, n int64, leaf tlog.Hash) (tlog.Hash, []ProofStep) {
	if lo+1 >= hi || len(proof) == 0 {
		return leaf, []ProofStep{}
	}
	k := int64(1)
	for k<<1 < hi-lo {
		k <<= 1
	}
	sibling, rest := proof[len(proof)-1], proof[:len(proof)-1]
	var node, parent tlog.Hash
	var steps []ProofStep
	left := n >= lo+k // the sibling stands left
	if left {
		node, steps = path(rest, lo+k, hi, n, leaf)
		parent = tlog.NodeHash(sibling, node)
	} else {
		node, steps = path(rest, lo, lo+k, n, leaf)
		parent = tlog.NodeHash(node, sibling)
	}
	return parent, append(steps, ProofStep{Level: len(steps), Left: left, Sibling: encodeHash(sibling), Parent: encodeHash(parent)})
}

// Receipt returns the receipt of an event: for the caller whose event it is, or for
// somebody who may read the log.
func (a *App) Receipt(ctx context.Context, c identity.Caller, event string) (*ReceiptView, error) {
	e, err := a.log.Event(ctx, event)
	if err != nil || len(event) != 26 {
		return nil, notFound("receipt")
	}
	if e.Event.Actor != c.ID {
		if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
			return nil, err
		}
	}
	r, err := a.receiptOf(ctx, event)
	return &r, err
}

// receiptOf returns the present receipt of an event.
func (a *App) receiptOf(ctx context.Context, event string) (ReceiptView, error) {
	r, err := a.log.Receipt(ctx, event)
	if err != nil {
		return ReceiptView{}, auditError(err)
	}
	v := a.receipt(r.Promise)
	v.Status, v.Index, v.Checkpoint, v.Proof = r.Status, r.Index, r.Checkpoint, string(r.File())
	return v, a.rooted(ctx, &v)
}

// Settle includes every entry that waits and signs, so that receipts asked for after it
// hold their proof. Commands call it before they end.
func (a *App) Settle(ctx context.Context) error { return a.log.Flush(ctx) }

// LogTile returns a file of the log's C2SP layout: "checkpoint", "tile/<L>/<N>",
// "tile/entries/<N>".
func (a *App) LogTile(ctx context.Context, c identity.Caller, logID, file string) ([]byte, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
		return nil, err
	}
	l := a.log
	switch logID {
	case a.log.ID():
	case a.root.ID():
		l = a.root
	default:
		return nil, notFound("log")
	}
	if file == "checkpoint" {
		_, signed, err := l.Checkpoint(ctx)
		return signed, err
	}
	data, err := l.Tile(ctx, file)
	return data, auditError(err)
}

// VerifyLog checks the whole log now: every leaf, tile and checkpoint. The check is an
// entry itself.
func (a *App) VerifyLog(ctx context.Context, c identity.Caller) (*HealthView, error) {
	if _, err := a.allow(ctx, ask{caller: c, action: policy.AuditRead, denied: "AUDIT.READ.DENIED"}); err != nil {
		return nil, err
	}
	h, err := a.log.Verify(ctx)
	if err != nil {
		return nil, fmt.Errorf("app: checking the log: %w", err)
	}
	e := audit.Event{Code: "AUDIT.VERIFIED.OK", Actor: c.ID, Auth: c.Auth, Action: string(policy.AuditRead), Object: "log:" + a.log.ID(),
		Numbers: map[string]int64{"size": h.Size}}
	if !h.OK {
		e.Code = "AUDIT.VERIFIED.FAILED"
		if h.FirstBad >= 0 {
			e.Numbers["index"] = h.FirstBad
		}
	}
	// A log that is damaged or halted takes no entry; what was found counts all the same.
	if _, err := a.log.Append(ctx, e); err != nil && h.OK {
		return nil, err
	}
	return a.health(ctx)
}

// health is the log's state as the last check found it.
func (a *App) health(ctx context.Context) (*HealthView, error) {
	last, signed, fault := a.log.Status()
	v := &HealthView{Origin: a.log.Origin(), Key: audit.Fingerprint(a.log.VerifierKey()), Signed: signed.UTC()}
	if head, _, err := a.log.Checkpoint(ctx); err == nil {
		v.Size, v.Root, v.Signed = head.Size, encodeHash(head.Root), head.Time.UTC()
	} else if fault == nil {
		fault = err
	}
	v.Roots = a.root.Origin()
	if x, err := a.root.LastExternal(ctx, a.log.ID()); err == nil {
		v.Anchor, v.AnchorSize, v.AnchorTime = x.Witnesses, x.Size, &x.Time
	}
	if last != nil {
		v.OK, v.Checked, v.Pending = last.OK, last.At.UTC(), last.Pending
		if last.FirstBad >= 0 {
			v.FirstBad = &last.FirstBad
		}
		if len(last.Problems) > 0 {
			v.Problem = last.Problems[0].Code
		}
	}
	if fault != nil {
		v.OK = false
		if v.Problem == "" {
			v.Problem = auditstore.SequencerStopped
		}
		if errors.Is(fault, auditstore.ErrRolledBack) {
			v.Problem = auditstore.RolledBack
		}
	}
	return v, nil
}

// checkEvery is the time between two checks of the whole log that nobody asked for.
const checkEvery = 15 * time.Minute

// check verifies the log at the start and then from time to time, until ctx ends.
func (a *App) check(ctx context.Context) {
	for {
		for _, l := range []*auditstore.Log{a.log, a.root} {
			if h, err := l.Verify(ctx); err != nil && ctx.Err() == nil {
				a.config.Logger.Error("the log could not be checked", "log", l.Origin(), "error", err)
			} else if err == nil && !h.OK {
				a.config.Logger.Error("the log does not verify", "log", l.Origin(), "problems", len(h.Problems), "first_bad", h.FirstBad)
			}
		}
		select {
		case <-time.After(checkEvery):
		case <-ctx.Done():
			return
		}
	}
}
