package privacy

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Finding is one piece of personal data. Start and End count characters (code
// points) of the text; Score is between 0 and 1.
type Finding struct {
	Recogniser string  `json:"recogniser"`
	Start      int     `json:"start"`
	End        int     `json:"end"`
	Score      float64 `json:"score"`
}

// Recogniser finds one kind of personal data.
type Recogniser struct {
	// ID is the word used in policies and log entries: "credit-card".
	ID string
	// Label is what stands in masked text between brackets: "CARD".
	Label string
	// Positive and Negative are examples for the conformance test and the
	// documentation: texts with exactly one finding, and with none.
	Positive, Negative []string

	window   window // where the pattern is tried
	least    int    // digits that a window must hold
	patterns []pattern
	check    func(match string) bool
	attached bool     // letters may touch the match; digits never touch digits
	glue     string   // signs that make the match part of something longer when a letter or digit follows
	context  []string // lower-case words; one within contextReach raises the score
}

// pattern is one spelling of an identifier. Score is that of a match without
// context; below threshold a match counts only with a context word near.
type pattern struct {
	score float64
	re    *regexp.Regexp
}

func spelled(score float64, re string) pattern { return pattern{score, regexp.MustCompile(re)} }

const (
	// threshold is the score from which a finding counts.
	threshold = 0.5
	// contextBonus is added when a context word is near.
	contextBonus = 0.35
	// contextReach is how far before a match, in bytes, context words count.
	contextReach = 48
)

// window says which parts of a text can hold a match at all. Scanning for
// windows is one pass over the bytes; patterns run only inside.
type window int

const (
	aroundAt      window = iota // around an '@'
	aroundDigits                // runs of digits, letters attached to them, and separators
	aroundAddress               // runs of hexadecimal digits, dots and colons
	aroundScheme                // from a few letters before "://" to the next space
)

var registry = map[string]Recogniser{}

// register adds a recogniser. It panics on an incomplete or doubled entry.
func register(r Recogniser) {
	if r.ID == "" || r.Label == "" || len(r.patterns) == 0 || len(r.Positive) == 0 || len(r.Negative) == 0 {
		panic("privacy: incomplete recogniser " + r.ID)
	}
	if _, ok := registry[r.ID]; ok {
		panic("privacy: recogniser registered twice: " + r.ID)
	}
	registry[r.ID] = r
}

// Recognisers lists every recogniser by id.
func Recognisers() []Recogniser {
	out := make([]Recogniser, 0, len(registry))
	for _, r := range registry {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Recogniser) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// All is the group of every recogniser.
const All = "pii"

// Known reports whether id is a recogniser or the group "pii".
func Known(id string) bool {
	_, ok := registry[id]
	return ok || id == All
}

// Label returns what stands in masked text for the recogniser: "[EMAIL]".
func Label(id string) string { return "[" + registry[id].Label + "]" }

// Detect finds personal data of every kind. Findings do not overlap and are in
// order of their place.
func Detect(text string) []Finding { return DetectOnly(text, nil) }

// DetectOnly finds personal data of the given kinds; nil or "pii" means all. An
// unknown id also means all: a rule that names a recogniser this program does
// not have must not mask less.
func DetectOnly(text string, ids []string) []Finding {
	n := normalise(text)
	var spans []span
	for _, r := range chosen(ids) {
		spans = r.find(n, spans)
	}
	spans = resolve(spans)
	out := make([]Finding, len(spans))
	for i, s := range spans {
		out[i] = Finding{Recogniser: s.id, Start: n.char(s.start), End: n.charEnd(s.end), Score: s.score}
	}
	return out
}

func chosen(ids []string) []Recogniser {
	var out []Recogniser
	for _, id := range ids {
		r, ok := registry[id]
		if !ok {
			return Recognisers()
		}
		out = append(out, r)
	}
	if len(ids) == 0 {
		return Recognisers()
	}
	return out
}

// span is a finding in bytes of the normalised text.
type span struct {
	id         string
	start, end int
	score      float64
}

// Long windows are searched in pieces: Go's regexp is several times faster on
// texts of a few kilobytes. No pattern tried in a long window matches more than
// pieceOverlap bytes.
const (
	longWindow   = 4096
	piece        = 1024
	pieceOverlap = 128
)

func (r Recogniser) find(n *normalised, spans []span) []span {
	for _, w := range n.windows(r.window) {
		if w.digits < r.least {
			continue
		}
		for _, p := range r.patterns {
			spans = r.search(n, p, w, spans)
		}
	}
	return spans
}

// search appends what one pattern finds in one window. A rejected candidate
// must not hide a good one that starts inside it, so the search goes on at the
// next place behind its start where one can start. This stays linear because
// every pattern or its window is short.
func (r Recogniser) search(n *normalised, p pattern, w stretch, spans []span) []span {
	for from := w.start; from < w.end; {
		end := w.end
		if w.end-w.start > longWindow {
			end = min(from+piece, w.end)
		}
		m := p.re.FindStringIndex(n.text[from:end])
		switch {
		case m == nil && end == w.end:
			return spans
		case m == nil:
			from = end - pieceOverlap
			continue
		case from+m[1] == end && end < w.end && m[0] > 0:
			from += m[0] // it may go on behind the piece: look at it from its start
			continue
		}
		s := span{r.ID, from + m[0], from + m[1], 0}
		if score, ok := r.judge(n, p.score, s.start, s.end); ok {
			s.score = score
			spans = append(spans, s)
			from = s.end
		} else {
			from = r.nextStart(n.text, s.start)
		}
	}
	return spans
}

// nextStart is the next place behind at that is not inside a word or number.
func (r Recogniser) nextStart(text string, at int) int {
	_, size := utf8.DecodeRuneInString(text[at:])
	for at += size; at < len(text) && r.joined(text[at-1], text[at]); at++ {
	}
	return at
}

// judge scores one candidate: neighbours, checksum, context.
func (r Recogniser) judge(n *normalised, score float64, start, end int) (float64, bool) {
	if start > 0 && r.joined(n.text[start-1], n.text[start]) || end < len(n.text) && r.joined(n.text[end-1], n.text[end]) {
		return 0, false // part of a longer word or number
	}
	if start > 1 && strings.IndexByte(r.glue, n.text[start-1]) >= 0 && isWord(n.text[start-2]) ||
		end+1 < len(n.text) && strings.IndexByte(r.glue, n.text[end]) >= 0 && isWord(n.text[end+1]) {
		return 0, false
	}
	if r.check != nil && !r.check(n.text[start:end]) {
		return 0, false
	}
	if len(r.context) > 0 && n.near(start, r.context) {
		score = min(score+contextBonus, 1)
	}
	return score, score >= threshold
}

// joined reports whether two neighbouring bytes belong to one word or number.
func (r Recogniser) joined(a, b byte) bool {
	if r.attached {
		return isDigit(a) && isDigit(b)
	}
	return isWord(a) && isWord(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// resolve keeps, of overlapping findings, the one with the higher score, then
// the longer, then the earlier, then the lower id; the rest in order of place.
// A finding that a better one covers only in part stays with the rest of itself
// masked too: the better one grows to the union, since showing half an
// identifier is showing it.
func resolve(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	var out []span
	for _, s := range spans {
		if len(out) == 0 || s.start >= out[len(out)-1].end {
			out = append(out, s)
			continue
		}
		last := &out[len(out)-1]
		end := max(last.end, s.end)
		if better(s, *last) {
			last.id, last.score = s.id, s.score
		}
		last.end = end
	}
	return out
}

func better(a, b span) bool {
	if a.score != b.score {
		return a.score > b.score
	}
	if la, lb := a.end-a.start, b.end-b.start; la != lb {
		return la > lb
	}
	if a.start != b.start {
		return a.start < b.start
	}
	return a.id < b.id
}
