package report

import (
	"io"
	"sort"
	"strings"

	"vitrine/audit"
)

// Renderer writes a report for people, as a self-contained printable HTML page in
// the language of the report. views renders, cmd wires.
type Renderer func(w io.Writer, r *Report) error

// MaxLines bounds the entries that a report lists one by one; Omitted counts the
// rest, which the pack holds all the same.
const MaxLines = 2000

// Report is what a printed audit trail says, without a word of any language: codes
// and numbers for the renderer to name.
type Report struct {
	Lang        string // en or zh-Hans
	Workspace   string
	Log         string // origin
	Fingerprint string // of the log's key
	Created     string // audit.TimeFormat
	From, To    string // asked for; empty where open
	First, Last int64  // indexes; Last < First for an empty range
	Size        int64  // of the signed tree
	Root        string // base64
	Signed      string // time of the checkpoint

	Events    int64
	Allowed   int64
	Denied    int64
	Kinds     []Tally // by code
	Actors    []Tally // most frequent first
	Days      []Day
	Models    []ModelUse
	Policies  []PolicyUse
	Refusals  []Line // at most MaxLines
	Lines     []Line // at most MaxLines
	Omitted   int64  // entries not in Lines
	FirstTime string // of the first and last entry
	LastTime  string
}

// Tally is how often a value occurs.
type Tally struct {
	Value string
	N     int64
}

// Day is one day (UTC) of the range.
type Day struct {
	Date           string // 2006-01-02
	Events, Denied int64
}

// ModelUse is a model that acted in the range.
type ModelUse struct {
	audit.Model
	Uses int64
	Card string // path in the pack; empty without a card
}

// PolicyUse is a version of the policy that decided in the range.
type PolicyUse struct {
	Version int64
	Hash    string
	Uses    int64
	File    string // path in the pack; empty when it is not packed
}

// Line is one entry.
type Line struct {
	Index         int64
	Time          string
	Code          string
	Actor         string
	Object        string
	Action        string
	Effect        string // allow, deny or empty
	Reason        string
	Rules         []string
	PolicyVersion int64
	Model         string // id@version
	Purpose       string
	Hash          string // leaf hash, hexadecimal
}

// builder gathers a report while entries stream by.
type builder struct {
	r        *Report
	kinds    map[string]int64
	actors   map[string]int64
	days     map[string]*Day
	models   map[audit.Model]int64
	policies map[string]*PolicyUse
}

func newBuilder(r *Report) *builder {
	return &builder{r: r, kinds: map[string]int64{}, actors: map[string]int64{}, days: map[string]*Day{}, models: map[audit.Model]int64{}, policies: map[string]*PolicyUse{}}
}

func (b *builder) add(index int64, e audit.Event, hash string) {
	r := b.r
	r.Events++
	b.kinds[e.Code]++
	b.actors[e.Actor]++
	if r.FirstTime == "" {
		r.FirstTime = e.Time
	}
	r.LastTime = e.Time
	date, _, _ := strings.Cut(e.Time, "T")
	d := b.days[date]
	if d == nil {
		d = &Day{Date: date}
		b.days[date] = d
	}
	d.Events++
	if e.Model != nil {
		b.models[*e.Model]++
	}
	l := Line{Index: index, Time: e.Time, Code: e.Code, Actor: e.Actor, Object: e.Object, Action: e.Action, Reason: e.Reason, Purpose: e.Purpose, Hash: hash}
	if e.Model != nil {
		l.Model = e.Model.ID
		if e.Model.Version != "" {
			l.Model += "@" + e.Model.Version
		}
	}
	if p := e.Decision; p != nil {
		l.Effect, l.Reason, l.Rules, l.PolicyVersion = p.Effect, p.Reason, p.Rules, p.PolicyVersion
		b.decision(p, d)
	}
	if l.Effect == "deny" && len(r.Refusals) < MaxLines {
		r.Refusals = append(r.Refusals, l)
	}
	if len(r.Lines) < MaxLines {
		r.Lines = append(r.Lines, l)
	} else {
		r.Omitted++
	}
}

func (b *builder) decision(p *audit.Decision, d *Day) {
	if p.Effect == "deny" {
		b.r.Denied++
		d.Denied++
	} else {
		b.r.Allowed++
	}
	if p.PolicyHash == "" {
		return // refused for want of any policy
	}
	u := b.policies[p.PolicyHash]
	if u == nil {
		u = &PolicyUse{Version: p.PolicyVersion, Hash: p.PolicyHash}
		b.policies[p.PolicyHash] = u
	}
	u.Uses++
}

// finish sorts what was gathered into the report.
func (b *builder) finish() {
	b.r.Kinds, b.r.Actors = tallies(b.kinds, false), tallies(b.actors, true)
	for _, d := range b.days {
		b.r.Days = append(b.r.Days, *d)
	}
	sort.Slice(b.r.Days, func(i, j int) bool { return b.r.Days[i].Date < b.r.Days[j].Date })
	for m, n := range b.models {
		b.r.Models = append(b.r.Models, ModelUse{Model: m, Uses: n})
	}
	sort.Slice(b.r.Models, func(i, j int) bool {
		x, y := b.r.Models[i], b.r.Models[j]
		return x.ID+"\x00"+x.Version+"\x00"+x.Digest < y.ID+"\x00"+y.Version+"\x00"+y.Digest
	})
	for _, p := range b.policies {
		b.r.Policies = append(b.r.Policies, *p)
	}
	sort.Slice(b.r.Policies, func(i, j int) bool {
		x, y := b.r.Policies[i], b.r.Policies[j]
		return x.Version < y.Version || x.Version == y.Version && x.Hash < y.Hash
	})
}

func tallies(m map[string]int64, byCount bool) []Tally {
	out := make([]Tally, 0, len(m))
	for v, n := range m {
		out = append(out, Tally{v, n})
	}
	sort.Slice(out, func(i, j int) bool {
		if byCount && out[i].N != out[j].N {
			return out[i].N > out[j].N
		}
		return out[i].Value < out[j].Value
	})
	return out
}
