// Package policy decides who may do what. A Snapshot is an immutable, versioned
// and hashed set of rules of one workspace; Decide is a pure function of the
// snapshot and the request, so that a decision can be evaluated again offline
// from the bytes of the snapshot years later.
//
// Three things make a decision: the subject's roles (given by the request and
// widened by the snapshot's role inheritance), rules that allow, and rules that
// deny. A deny always wins; no matching rule means no. The matched allowing
// rules carry obligations, which combine to the most restrictive.
//
// Casbin v2 is the evaluator and snapshot.go the only file that imports it.
package policy
