package policy

import (
	"fmt"
	"strings"
)

// pattern is a compiled object pattern, "kind:name" or "kind". It has the
// meaning of Casbin's keyMatch2 within the name: "*" at the end stands for any
// rest, and a segment ":x" between slashes for exactly one segment. The colon
// behind the kind is not a placeholder here, as it would be in keyMatch2, which
// would read "model:a" as a pattern for every model. "kind:*" also covers the
// bare kind; "*" alone covers everything.
type pattern struct {
	all      bool
	kind     string
	segments []string // nil with prefix only
	rest     bool     // pattern ends in "*"
}

const maxObject = 200

// compileObject parses an object pattern.
func compileObject(s string) (pattern, error) {
	if s == "*" {
		return pattern{all: true}, nil
	}
	if err := checkObject(s); err != nil {
		return pattern{}, err
	}
	kind, name, named := strings.Cut(s, ":")
	if !isName(kind) {
		return pattern{}, fmt.Errorf("object %s does not start with a kind, as in model:NAME", quote(s))
	}
	p := pattern{kind: kind}
	if !named {
		return p, nil
	}
	if strings.HasSuffix(name, "*") {
		p.rest, name = true, strings.TrimSuffix(name, "*")
	}
	if strings.Contains(name, "*") {
		return pattern{}, fmt.Errorf("object %s has a * that is not at the end", quote(s))
	}
	if name == "" && !p.rest {
		return pattern{}, fmt.Errorf("object %s has no name after the colon", quote(s))
	}
	p.segments = strings.Split(name, "/")
	for i, seg := range p.segments {
		if seg == ":" || i == 0 && strings.HasPrefix(seg, ":") {
			return pattern{}, fmt.Errorf("object %s has an empty placeholder", quote(s))
		}
	}
	return p, nil
}

// checkObject bounds an object or pattern and refuses everything but printable
// ASCII, so that no look-alike name and no trailing space gets past a rule.
func checkObject(s string) error {
	if s == "" || len(s) > maxObject {
		return fmt.Errorf("object %s must have 1 to %d characters", quote(s), maxObject)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return fmt.Errorf("object %s holds a character outside printable ASCII", quote(s))
		}
	}
	return nil
}

// match reports whether the pattern covers the object of a request.
func (p pattern) match(object string) bool {
	if p.all {
		return true
	}
	kind, name, named := strings.Cut(object, ":")
	if kind != p.kind {
		return false
	}
	if p.segments == nil {
		return !named
	}
	if !named {
		return p.rest && len(p.segments) == 1 && p.segments[0] == ""
	}
	last := len(p.segments) - 1
	for i, seg := range p.segments {
		if i == last && p.rest {
			return matchRest(seg, name)
		}
		part, tail, more := strings.Cut(name, "/")
		if !matchSegment(seg, part) || more != (i < last) {
			return false
		}
		name = tail
	}
	return true
}

// matchSegment compares one whole segment; ":x" stands for any non-empty one.
func matchSegment(seg, part string) bool {
	if strings.HasPrefix(seg, ":") {
		return part != ""
	}
	return seg == part
}

// matchRest matches the segment in front of a final "*" as a prefix.
func matchRest(seg, rest string) bool {
	return strings.HasPrefix(rest, seg)
}
