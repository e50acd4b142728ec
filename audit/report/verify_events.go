package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"

	"vitrine/audit"
)

// events reads events.jsonl: every line must be the entry that the signed tree has
// at its place.
func (v *verifier) events() {
	before := len(v.r.Findings)
	open := v.a.files[fileEvents]
	if open == nil {
		return // said by files
	}
	f, err := open()
	if err != nil {
		v.tampered(CodeAltered, fileEvents, -1, "cannot be read")
		return
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	next, end := v.m.First, v.m.First+v.m.Events
	seen := map[int64]bool{} // of lines out of place only
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		l, bad := ParseLine(line)
		if err != nil || bad != nil {
			v.tampered(CodeAltered, fileEvents, next, "the line in its place is not an entry")
			if err != nil {
				break
			}
			next++
			continue
		}
		switch {
		case l.Index == next:
			next++
		case l.Index > next && l.Index < end && !seen[next]:
			v.tampered(CodeMissing, fileEvents, next, "is missing here: entry %d stands in its place", l.Index)
			next = l.Index + 1
		default:
			v.tampered(CodeOrder, fileEvents, l.Index, "stands out of order or twice")
		}
		if len(seen) < maxFindings {
			seen[l.Index] = true
		}
		v.entry(l)
	}
	for ; next < end; next++ {
		v.tampered(CodeMissing, fileEvents, next, "is missing")
		if v.r.Omitted > 0 {
			break
		}
	}
	v.check("entries", before, v.r.Events)
	if v.again > 0 {
		v.r.Checks = append(v.r.Checks, Check{Name: "decisions", OK: v.again == v.same, N: v.again})
	}
}

// entry checks one entry: its hash at its index, its form, its decision.
func (v *verifier) entry(l audit.Leaf) {
	if v.broken == nil {
		hash, err := v.tree.leaf(l.Index)
		switch {
		case err != nil && l.Index >= v.head.Size:
			v.tampered(CodeAltered, fileEvents, l.Index, "the signed log has no such entry")
			return
		case err != nil:
			v.broken = err
			v.tampered(CodeAltered, "tile", l.Index, "the packed hashes from here on do not lead to the signed root")
		case hash != audit.LeafHash(l.Bytes):
			v.tampered(CodeAltered, fileEvents, l.Index, "is not the entry that was signed")
			return
		}
	}
	e, err := audit.ParseLeaf(l.Bytes)
	if err != nil {
		v.tampered(CodeAltered, fileEvents, l.Index, "is not in the form of an entry")
		return
	}
	if e.Workspace != v.m.Workspace {
		v.tampered(CodeAltered, fileEvents, l.Index, "belongs to another workspace than the pack")
	}
	if e.Decision != nil {
		v.decision(l.Index, e.Decision)
	}
}

// verdict is the answer to a question already asked of a policy.
type verdict struct {
	effect string
	rules  []string
	policy *packedPolicy
	err    error
}

type packedPolicy struct{ bytes []byte }

// decision makes a decision again with the packed policy.
func (v *verifier) decision(index int64, d *audit.Decision) {
	if d.Effect == "deny" {
		v.r.Refusals++
	}
	if v.opt.Redecider == nil || d.PolicyHash == "" { // refused for want of any policy
		return
	}
	asked, err := json.Marshal(d.Asked)
	if err != nil {
		return
	}
	answer, ok := v.ask(d.PolicyHash, asked)
	if !ok {
		return
	}
	v.again++
	if answer.err != nil {
		v.missing("a way to make decision %d again: %v", index, answer.err)
		return
	}
	if answer.effect != d.Effect || !sameRules(answer.rules, d.Rules) {
		v.tampered(CodeDecision, fileEvents, index, "the packed policy version %d gives %s by %v, the entry says %s by %v", d.PolicyVersion, answer.effect, answer.rules, d.Effect, d.Rules)
		return
	}
	v.same++
}

func sameRules(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// maxRemembered bounds the answers kept.
const maxRemembered = 10_000

// ask puts a question to a packed policy; ok is false when the policy is not there.
func (v *verifier) ask(hash string, asked []byte) (verdict, bool) {
	if v.made == nil {
		v.made = map[string]verdict{}
	}
	key := hash + string(asked)
	if got, ok := v.made[key]; ok {
		return got, true
	}
	base, ok := v.made[hash]
	if !ok {
		base = verdict{policy: v.policy(hash)}
		v.made[hash] = base
	}
	if base.policy == nil {
		return verdict{}, false
	}
	var got verdict
	got.effect, got.rules, got.err = v.opt.Redecider.Redecide(base.policy.bytes, asked)
	if len(v.made) < maxRemembered {
		v.made[key] = got
	}
	return got, true
}

// policy reads a packed policy snapshot and checks its hash.
func (v *verifier) policy(hash string) *packedPolicy {
	path := folderPolicies + hash + ".json"
	if _, ok := v.listed[path]; !ok {
		v.missing("%s, the policy that decided some entries", path)
		return nil
	}
	data, ok := v.small(path, maxPolicy)
	if !ok {
		return nil
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		v.tampered(CodeAltered, path, -1, "does not have the hash that decisions name")
		return nil
	}
	return &packedPolicy{data}
}

// table checks that the spreadsheet says what the entries say, by writing it again.
func (v *verifier) table() {
	if v.byFile[fileCSV] || v.byFile[fileEvents] {
		return // already known to be altered
	}
	events, csv := v.a.files[fileEvents], v.a.files[fileCSV]
	if events == nil || csv == nil {
		return
	}
	before := len(v.r.Findings)
	e, err := events()
	if err != nil {
		return
	}
	defer e.Close()
	c, err := csv()
	if err != nil {
		return
	}
	defer c.Close()
	same := &comparer{r: bufio.NewReaderSize(c, 64<<10)}
	_, err = WriteCSV(same, lines(e), nil)
	if _, end := same.r.ReadByte(); err != nil || end != io.EOF {
		v.tampered(CodeAltered, fileCSV, -1, "does not say what events.jsonl says")
	}
	v.check("spreadsheet", before, v.m.Events)
}

// lines reads exported lines one after another.
func lines(r io.Reader) func(func(audit.Leaf, error) bool) {
	return func(yield func(audit.Leaf, error) bool) {
		b := bufio.NewReaderSize(r, maxLine)
		for {
			line, err := b.ReadSlice('\n')
			if err == io.EOF && len(line) == 0 {
				return
			}
			l, bad := ParseLine(line)
			if bad != nil {
				err = bad
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// comparer is a writer that expects the bytes of a reader.
type comparer struct {
	r   *bufio.Reader
	buf []byte
}

func (c *comparer) Write(p []byte) (int, error) {
	if cap(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	got := c.buf[:len(p)]
	if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, p) {
		return 0, ErrLine
	}
	return len(p), nil
}
