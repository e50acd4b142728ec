package audit

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrTrust means that a trust policy is malformed.
var ErrTrust = errors.New("malformed trust policy")

// Trust is a C2SP tlog-policy: whose logs are known, which witnesses, and how many of
// them must have cosigned a checkpoint.
type Trust struct {
	Logs      []TrustedLog
	Witnesses []TrustedWitness
	quorum    string // name of a witness or group, or "none"
	groups    map[string]trustGroup
}

// TrustedLog is one line "log VKEY [URL]".
type TrustedLog struct {
	VerifierKey string
	URL         string // "" = none
	Verifier    note.Verifier
}

// TrustedWitness is one line "witness NAME VKEY [URL]"; URL is its submission prefix.
type TrustedWitness struct {
	Name        string
	VerifierKey string
	URL         string // "" = none
	Verifier    note.Verifier
}

type trustGroup struct {
	need    int
	members []string
}

const (
	maxTrust      = 64 << 10 // bytes of a policy
	maxTrustLines = 64       // of each sort
	noQuorum      = "none"
)

// ParseTrust reads a trust policy. Errors wrap ErrTrust and name the line.
func ParseTrust(data []byte) (*Trust, error) {
	if len(data) > maxTrust {
		return nil, fmt.Errorf("audit: trust policy: it is longer than %d bytes: %w", maxTrust, ErrTrust)
	}
	p := trustParser{t: &Trust{groups: map[string]trustGroup{}}, names: map[string]bool{}, keys: map[string]bool{}, used: map[string]bool{}}
	for i, line := range strings.Split(string(data), "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("audit: trust policy, line %d: a control character: %w", i+1, ErrTrust)
		}
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if why := p.line(words); why != "" {
			return nil, fmt.Errorf("audit: trust policy, line %d: %s: %w", i+1, why, ErrTrust)
		}
	}
	if p.t.quorum == "" {
		return nil, fmt.Errorf("audit: trust policy: it has no line \"quorum NAME\" (or \"quorum none\"): %w", ErrTrust)
	}
	return p.t, nil
}

type trustParser struct {
	t     *Trust
	names map[string]bool // of witnesses and groups
	keys  map[string]bool // public key data
	used  map[string]bool // names that are a group's members
}

// line reads one line and returns what is wrong with it, "" for nothing.
func (p *trustParser) line(w []string) string {
	switch w[0] {
	case "log":
		return p.log(w)
	case "witness":
		return p.witness(w)
	case "group":
		return p.group(w)
	case "quorum":
		switch {
		case len(w) != 2:
			return "write it as: quorum NAME"
		case p.t.quorum != "":
			return "there is more than one quorum"
		case w[1] != noQuorum && !p.names[w[1]]:
			return "the quorum names nothing that stands above it"
		}
		p.t.quorum = w[1]
		return ""
	}
	return "it begins with none of log, witness, group and quorum"
}

func (p *trustParser) log(w []string) string {
	if len(w) < 2 || len(w) > 3 || len(p.t.Logs) == maxTrustLines {
		return "write it as: log VKEY [URL], at most 64 of them"
	}
	v, err := ParseVerifierKey([]byte(w[1]))
	if err != nil {
		return "its key is not a log's public key"
	}
	l := TrustedLog{VerifierKey: w[1], Verifier: v}
	var why string
	if l.URL, why = address(w[2:]); why != "" {
		return why
	}
	p.t.Logs = append(p.t.Logs, l)
	return p.unique(w[1])
}

func (p *trustParser) witness(w []string) string {
	if len(w) < 3 || len(w) > 4 || len(p.t.Witnesses) == maxTrustLines {
		return "write it as: witness NAME VKEY [URL], at most 64 of them"
	}
	v, err := ParseCosignerKey(w[2])
	if err != nil {
		return "its key is not a witness's public key (signature type 4)"
	}
	x := TrustedWitness{Name: w[1], VerifierKey: w[2], Verifier: v}
	var why string
	if x.URL, why = address(w[3:]); why != "" {
		return why
	}
	p.t.Witnesses = append(p.t.Witnesses, x)
	if why := p.name(w[1]); why != "" {
		return why
	}
	return p.unique(w[2])
}

func (p *trustParser) group(w []string) string {
	if len(w) < 4 || len(p.t.groups) == maxTrustLines || len(w)-3 > maxTrustLines {
		return "write it as: group NAME all|any|K MEMBER…, at most 64 of them"
	}
	g := trustGroup{members: w[3:]}
	switch w[2] {
	case "any":
		g.need = 1
	case "all":
		g.need = len(g.members)
	default:
		k, err := strconv.Atoi(w[2])
		if err != nil || k < 1 || k > len(g.members) || strconv.Itoa(k) != w[2] {
			return "its threshold is neither all, any nor a number up to that of its members"
		}
		g.need = k
	}
	for _, m := range g.members {
		if !p.names[m] {
			return "a member is not defined above it"
		}
		if p.used[m] {
			return "a member belongs to a group already"
		}
		p.used[m] = true
	}
	p.t.groups[w[1]] = g
	return p.name(w[1])
}

func (p *trustParser) name(n string) string {
	if n == noQuorum || p.names[n] {
		return "its name is taken"
	}
	p.names[n] = true
	return ""
}

// unique refuses a public key that stands there already, whatever its name.
func (p *trustParser) unique(vkey string) string {
	f := Fingerprint(vkey)
	if p.keys[f] {
		return "its key stands there twice"
	}
	p.keys[f] = true
	return ""
}

func address(rest []string) (string, string) {
	if len(rest) == 0 {
		return "", ""
	}
	u, err := url.Parse(rest[0])
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", "its address is not of the form https://host/path"
	}
	return strings.TrimSuffix(rest[0], "/"), ""
}

// Witnessed checks the cosignatures of a signed note against the policy: which of
// its witnesses cosigned, by the names of their keys, and whether they are enough.
// A cosignature that does not hold is ErrSignature.
func (t *Trust) Witnessed(msg []byte) (by []Cosignature, enough bool, err error) {
	keys := make([]note.Verifier, len(t.Witnesses))
	for i, w := range t.Witnesses {
		keys[i] = w.Verifier
	}
	if by, err = Cosignatures(msg, keys); err != nil {
		return nil, false, err
	}
	cosigned := map[string]bool{}
	for _, w := range t.Witnesses {
		cosigned[w.Name] = indexWitness(by, w.Verifier.Name()) >= 0
	}
	return by, t.satisfied(t.quorum, cosigned), nil
}

// satisfied is recursive; groups name only what stands above them, so it ends.
func (t *Trust) satisfied(name string, cosigned map[string]bool) bool {
	g, ok := t.groups[name]
	if !ok {
		return name == noQuorum || cosigned[name]
	}
	n := 0
	for _, m := range g.members {
		if t.satisfied(m, cosigned) {
			n++
		}
	}
	return n >= g.need
}
