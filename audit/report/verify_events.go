package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"vitrine/audit"
)

// events reads events.jsonl once: every line must be the entry that the signed tree has
// at its place, every decision the one that its policy gives, and the tables must say
// what the entries say. Batches of lines are parsed side by side and judged in order.
func (v *verifier) events() {
	before := len(v.r.Findings)
	listed, ok := v.listed[fileEvents]
	if !ok {
		return // said by files
	}
	src := v.stream(listed)
	if src == nil {
		return
	}
	tables := v.tables()
	c := &entryChecker{v: v, next: v.m.First, end: v.m.First + v.m.Events, seen: map[int64]bool{}}
	for b := range v.batches(src, tables) {
		for i := range b.entries {
			c.line(&b.entries[i])
		}
		for i, t := range tables {
			t.compare(b.rows[i])
		}
	}
	c.rest()
	src.done()
	v.check("entries", before, v.r.Events)
	for _, note := range v.answers.notes {
		note()
	}
	if v.again > 0 {
		v.r.Checks = append(v.r.Checks, Check{Name: "decisions", OK: v.again == v.same, N: v.again})
	}
	for _, t := range tables {
		t.finish(!v.byFile[fileEvents])
	}
}

// entry is a line as a worker left it.
type entry struct {
	bad     bool // not an entry's line
	stop    bool // nothing behind it can be read
	leaf    audit.Leaf
	hash    tlog.Hash
	event   audit.Event
	err     error // of parsing the leaf
	decided bool
	answer  verdict
}

// batch is some whole lines.
type batch struct {
	lines   []byte
	long    bool // a line longer than any entry follows
	entries []entry
	rows    [][]byte // of each table
	done    chan struct{}
}

const batchBytes = 128 << 10

// batches reads and parses ahead of the loop over it, in the memory of a few batches.
func (v *verifier) batches(r io.Reader, tables []*table) func(func(*batch) bool) {
	return func(yield func(*batch) bool) {
		workers := runtime.GOMAXPROCS(0)
		work, ordered := make(chan *batch, workers), make(chan *batch, 2*workers)
		for range workers {
			go func() {
				for b := range work {
					v.parse(b, tables)
					close(b.done)
				}
			}()
		}
		go func() {
			defer close(ordered)
			defer close(work)
			cut(r, func(lines []byte, long bool) {
				b := &batch{lines: lines, long: long, done: make(chan struct{})}
				ordered <- b
				work <- b
			})
		}()
		more := true
		for b := range ordered {
			<-b.done
			more = more && yield(b)
		}
	}
}

// cut splits what r gives into batches of whole lines; the last may lack its newline.
func cut(r io.Reader, emit func(lines []byte, long bool)) {
	var rest []byte
	for {
		buf := make([]byte, len(rest)+batchBytes)
		n, err := io.ReadFull(r, buf[copy(buf, rest):])
		buf = buf[:len(rest)+n]
		if err != nil {
			if len(buf) > 0 {
				emit(buf, false)
			}
			return
		}
		end := bytes.LastIndexByte(buf, '\n') + 1
		if len(buf)-end > maxLine {
			emit(buf[:end], true)
			return
		}
		rest = buf[end:]
		emit(buf[:end], false)
	}
}

// parse does what needs no neighbour.
func (v *verifier) parse(b *batch, tables []*table) {
	b.rows = make([][]byte, len(tables))
	for line := range bytes.Lines(b.lines) {
		var e entry
		var err error
		if e.leaf, err = ParseLine(line); err != nil || len(line) > maxLine {
			e.bad, e.stop = true, len(line) > maxLine || line[len(line)-1] != '\n'
			b.entries = append(b.entries, e)
			if e.stop {
				return
			}
			continue
		}
		e.hash = audit.LeafHash(e.leaf.Bytes)
		if e.event, e.err = audit.ParseLeaf(e.leaf.Bytes); e.err == nil {
			if d := e.event.Decision; d != nil && d.PolicyHash != "" { // else refused for want of any policy
				e.answer, e.decided = v.ask(d.PolicyHash, asked(e.leaf.Bytes))
			}
			for i, t := range tables {
				b.rows[i] = t.format.append(b.rows[i], e.leaf, e.hash, &e.event)
			}
		}
		b.entries = append(b.entries, e)
	}
	if b.long {
		b.entries = append(b.entries, entry{bad: true, stop: true})
	}
}

// asked is the question in a canonical leaf, as it stands there.
func asked(leaf []byte) []byte {
	const head, tail = `"decision":{"asked":`, `,"effect":"`
	_, rest, _ := bytes.Cut(leaf, []byte(head))
	q, _, _ := bytes.Cut(rest, []byte(tail))
	return q
}

// entryChecker judges the lines in their order.
type entryChecker struct {
	v         *verifier
	next, end int64
	seen      map[int64]bool // of lines out of place only
	stopped   bool
}

func (c *entryChecker) line(e *entry) {
	v := c.v
	if c.stopped {
		return
	}
	if e.bad {
		v.tampered(CodeAltered, fileEvents, c.next, "the line in its place is not an entry")
		c.stopped = e.stop
		if !e.stop {
			c.next++
		}
		return
	}
	n := e.leaf.Index
	switch {
	case n == c.next:
		c.next++
	case n > c.next && n < c.end && !c.seen[c.next]:
		v.tampered(CodeMissing, fileEvents, c.next, "is missing here: entry %d stands in its place", n)
		c.next = n + 1
	default:
		v.tampered(CodeOrder, fileEvents, n, "stands out of order or twice")
	}
	if len(c.seen) < maxFindings {
		c.seen[n] = true
	}
	v.entry(e)
}

// rest names the entries that are missing at the end.
func (c *entryChecker) rest() {
	for ; c.next < c.end; c.next++ {
		c.v.tampered(CodeMissing, fileEvents, c.next, "is missing")
		if c.v.r.Omitted > 0 {
			break
		}
	}
}

// entry checks one entry: its hash at its index, its form, its decision.
func (v *verifier) entry(e *entry) {
	n := e.leaf.Index
	if v.broken == nil {
		hash, err := v.tree.leaf(n)
		switch {
		case err != nil && n >= v.head.Size:
			v.tampered(CodeAltered, fileEvents, n, "the signed log has no such entry")
			return
		case err != nil:
			v.broken = err
			v.tampered(CodeAltered, "tile", n, "the packed hashes from here on do not lead to the signed root")
		case hash != e.hash:
			v.tampered(CodeAltered, fileEvents, n, "is not the entry that was signed")
			return
		}
	}
	if e.err != nil {
		v.tampered(CodeAltered, fileEvents, n, "is not in the form of an entry")
		return
	}
	if e.event.Workspace != v.m.Workspace {
		v.tampered(CodeAltered, fileEvents, n, "belongs to another workspace than the pack")
	}
	if d := e.event.Decision; d != nil {
		if d.Effect == "deny" {
			v.r.Refusals++
		}
		if e.decided {
			v.decision(n, d, e.answer)
		}
	}
}

// decision compares an answer made again with the one logged.
func (v *verifier) decision(index int64, d *audit.Decision, answer verdict) {
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
	if slices.Equal(a, b) {
		return true
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// verdict is the answer to a question put to a policy.
type verdict struct {
	effect string
	rules  []string
	err    error
}

// maxRemembered bounds the answers kept.
const maxRemembered = 10_000

// answers are those given already, by policy and question. Workers share them.
type answers struct {
	mu       sync.RWMutex
	made     map[string]map[string]verdict
	count    int
	policies map[string][]byte // nil: not there
	notes    []func()          // findings about policies, for the goroutine that keeps them
}

// ask puts a question to a packed policy; ok is false when the policy is not there.
func (v *verifier) ask(hash string, asked []byte) (got verdict, ok bool) {
	a := &v.answers
	if v.opt.Redecider == nil {
		return got, false
	}
	a.mu.RLock()
	got, ok = a.made[hash][string(asked)]
	a.mu.RUnlock()
	if ok {
		return got, true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made == nil {
		a.made, a.policies = map[string]map[string]verdict{}, map[string][]byte{}
	}
	snapshot, known := a.policies[hash]
	if !known {
		snapshot = v.policy(hash)
		a.policies[hash] = snapshot
	}
	if snapshot == nil {
		return got, false
	}
	got.effect, got.rules, got.err = v.opt.Redecider.Redecide(snapshot, asked)
	if a.count < maxRemembered {
		if a.made[hash] == nil {
			a.made[hash] = map[string]verdict{}
		}
		a.made[hash][string(asked)] = got
		a.count++
	}
	return got, true
}

// policy reads a packed policy snapshot and checks its hash. What it finds waits in
// notes: workers call it.
func (v *verifier) policy(hash string) []byte {
	path := folderPolicies + hash + ".json"
	later := func(f func()) { v.answers.notes = append(v.answers.notes, f) }
	if _, ok := v.listed[path]; !ok {
		later(func() { v.missing("%s, the policy that decided some entries", path) })
		return nil
	}
	data, err := v.read(path, maxPolicy)
	if err != nil {
		later(func() { v.tampered(CodeAltered, path, -1, "cannot be read") })
		return nil
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		later(func() { v.tampered(CodeAltered, path, -1, "does not have the hash that decisions name") })
		return nil
	}
	return data
}

// table is a file that says what events.jsonl says in another form; it is compared with
// what the entries give.
type table struct {
	v      *verifier
	name   string
	path   string
	format rowFormat
	src    *checkedReader
	buf    []byte
	differ bool
}

// tables opens the tables that the pack lists.
func (v *verifier) tables() (list []*table) {
	for _, t := range []*table{{name: "spreadsheet", path: fileCSV, format: csvRows{}}, {name: "ocsf", path: fileOCSF, format: ocsfRows{}}} {
		f, ok := v.listed[t.path]
		if !ok {
			continue
		}
		if t.v, t.src = v, v.stream(f); t.src != nil {
			t.compare(t.format.head())
			list = append(list, t)
		}
	}
	return list
}

func (t *table) compare(want []byte) {
	if t.differ {
		return
	}
	if cap(t.buf) < len(want) {
		t.buf = make([]byte, len(want))
	}
	got := t.buf[:len(want)]
	_, err := io.ReadFull(t.src, got)
	t.differ = err != nil || !bytes.Equal(got, want)
}

// finish says whether the table was the one signed, and, where the entries are sound,
// whether it says what they say.
func (t *table) finish(sound bool) {
	before := len(t.v.r.Findings)
	if t.src.left != 0 {
		t.differ = true
	}
	if whole := t.src.done(); whole && sound && t.differ {
		t.v.tampered(CodeAltered, t.path, -1, "does not say what events.jsonl says")
	}
	t.v.check(t.name, before, t.v.m.Events)
}

// read returns a whole file of at most limit bytes.
func (v *verifier) read(name string, limit int64) ([]byte, error) {
	open := v.a.files[name]
	if open == nil {
		return nil, fmt.Errorf("%s is missing: %w", name, ErrNotPack)
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	return data, err
}
