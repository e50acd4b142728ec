// Package audit is the evidence of Vitrine: what an event is, the canonical
// bytes it is logged as, the transparency log those bytes are hashed into,
// signed checkpoints and promises, proofs, and the keyed commitments that
// stand in for everything a leaf must not hold.
//
// A leaf carries opaque identifiers, closed codes, digests and keyed
// commitments, never a name, an address or a sentence: the log is append-only,
// so what enters it can never be erased. Every field is matched against its
// pattern before it becomes a leaf (Event.Canonical) and again when a leaf is
// read back (ParseLeaf).
//
// Hashing is RFC 6962 (golang.org/x/mod/sumdb/tlog), checkpoints and promises
// are signed notes (golang.org/x/mod/sumdb/note), tiles and proof files follow
// C2SP (tlog-tiles, tlog-checkpoint, tlog-proof). The package knows no
// database: audit/store keeps a log in one, audit/report carries it out.
package audit
