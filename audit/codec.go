package audit

import (
	"slices"
	"strconv"
	"time"
)

// appendEvent appends the canonical JSON of an event that was validated: encoding/json's
// bytes for the type, written out. No valid field holds a character to escape.
func appendEvent(b []byte, e *Event) []byte {
	w := leafWriter{append(b, '{')}
	w.text("action", e.Action)
	w.always("actor", e.Actor)
	w.text("auth", e.Auth)
	w.always("code", e.Code)
	w.texts("codes", e.Codes)
	w.texts("commitments", e.Commitments)
	w.list("data_classes", e.DataClasses)
	if d := e.Decision; d != nil {
		w.open("decision")
		w.open("asked")
		w.always("action", d.Asked.Action)
		w.texts("context", d.Asked.Context)
		w.always("object", d.Asked.Object)
		w.open("subject")
		w.always("id", d.Asked.Subject.ID)
		w.list("roles", d.Asked.Subject.Roles)
		w.close()
		w.always("workspace", d.Asked.Workspace)
		w.close()
		w.always("effect", d.Effect)
		w.always("policy_hash", d.PolicyHash)
		w.number("policy_version", d.PolicyVersion)
		w.always("reason", d.Reason)
		w.list("rules", d.Rules)
		w.close()
	}
	w.text("digest", e.Digest)
	if h := e.Human; h != nil {
		w.open("human")
		w.text("outcome", h.Outcome)
		w.text("override_of", h.OverrideOf)
		w.text("reviewer", h.Reviewer)
		w.close()
	}
	w.always("id", e.ID)
	w.text("legal_basis", e.LegalBasis)
	if m := e.Model; m != nil {
		w.open("model")
		w.text("digest", m.Digest)
		w.always("id", m.ID)
		w.text("version", m.Version)
		w.close()
	}
	w.numbers("numbers", e.Numbers)
	w.text("object", e.Object)
	w.text("on_behalf_of", e.OnBehalfOf)
	w.text("purpose", e.Purpose)
	w.text("reason", e.Reason)
	w.text("request", e.Request)
	w.always("time", e.Time)
	w.number("v", int64(e.Version))
	w.always("workspace", e.Workspace)
	w.close()
	return w.b
}

type leafWriter struct{ b []byte }

func (w *leafWriter) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *leafWriter) quote(s string) { w.b = append(append(append(w.b, '"'), s...), '"') }
func (w *leafWriter) open(name string) {
	w.key(name)
	w.b = append(w.b, '{')
}
func (w *leafWriter) close() { w.b = append(w.b, '}') }

func (w *leafWriter) always(name, v string) {
	w.key(name)
	w.quote(v)
}

func (w *leafWriter) text(name, v string) {
	if v != "" {
		w.always(name, v)
	}
}

func (w *leafWriter) number(name string, v int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *leafWriter) list(name string, v []string) {
	if len(v) == 0 {
		return
	}
	w.key(name)
	w.b = append(w.b, '[')
	for i, s := range v {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.quote(s)
	}
	w.b = append(w.b, ']')
}

func (w *leafWriter) texts(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.open(name)
	var room [8]string
	for _, k := range sortedKeys(room[:0], m) {
		w.always(k, m[k])
	}
	w.close()
}

func (w *leafWriter) numbers(name string, m map[string]int64) {
	if len(m) == 0 {
		return
	}
	w.open(name)
	var room [8]string
	for _, k := range sortedKeys(room[:0], m) {
		w.number(k, m[k])
	}
	w.close()
}

func sortedKeys[V any](keys []string, m map[string]V) []string {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// leafReader reads canonical JSON and nothing else: keys in order, no blanks, no
// escapes, no second spelling of a number. bad is set for good at the first byte that
// canonical JSON of an event would not have there.
type leafReader struct {
	s   string
	at  int
	bad bool
}

func (r *leafReader) lit(c byte) {
	if r.at < len(r.s) && r.s[r.at] == c {
		r.at++
		return
	}
	r.bad = true
}

func (r *leafReader) next(c byte) bool { return r.at < len(r.s) && r.s[r.at] == c }

// str reads a string that needs no escape in either spelling of JSON.
func (r *leafReader) str() string {
	r.lit('"')
	from := r.at
	for r.at < len(r.s) {
		switch c := r.s[r.at]; {
		case c == '"':
			r.at++
			return r.s[from : r.at-1]
		case c < 0x20 || c > 0x7e || c == '\\' || c == '<' || c == '>' || c == '&':
			r.bad = true
			return ""
		}
		r.at++
	}
	r.bad = true
	return ""
}

// filled is a string that canonical form would have left out when empty.
func (r *leafReader) filled() string {
	s := r.str()
	r.bad = r.bad || s == ""
	return s
}

func (r *leafReader) int() int64 {
	from := r.at
	for r.at < len(r.s) && (r.s[r.at] == '-' || r.s[r.at] >= '0' && r.s[r.at] <= '9') {
		r.at++
	}
	text := r.s[from:r.at]
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > 1 && (text[0] == '0' || text[0] == '-' && text[1] == '0') {
		r.bad = true
	}
	return n
}

// object calls field for each key, which must grow, and reports how many there were.
func (r *leafReader) object(field func(key string)) (n int) {
	r.lit('{')
	for last := ""; !r.bad && !r.next('}'); n++ {
		if n > 0 {
			r.lit(',')
		}
		key := r.filled()
		r.lit(':')
		if key <= last {
			r.bad = true
		}
		if !r.bad {
			field(key)
		}
		last = key
	}
	r.lit('}')
	return n
}

func (r *leafReader) list() (out []string) {
	r.lit('[')
	for !r.bad && !r.next(']') {
		if len(out) > 0 {
			r.lit(',')
		}
		out = append(out, r.str())
	}
	r.lit(']')
	r.bad = r.bad || len(out) == 0
	return out
}

func (r *leafReader) texts() map[string]string {
	m := make(map[string]string, 4)
	if r.object(func(k string) { m[k] = r.str() }) == 0 {
		r.bad = true
	}
	return m
}

func (r *leafReader) numbers() map[string]int64 {
	m := make(map[string]int64, 4)
	if r.object(func(k string) { m[k] = r.int() }) == 0 {
		r.bad = true
	}
	return m
}

// want counts fields that are always written.
type want int

func (w *want) str(r *leafReader) string { *w--; return r.str() }
func (w *want) int(r *leafReader) int64  { *w--; return r.int() }

func readEvent(s string) (e Event, ok bool) {
	r := &leafReader{s: s}
	need := want(6)
	r.object(func(key string) {
		switch key {
		case "action":
			e.Action = r.filled()
		case "actor":
			e.Actor = need.str(r)
		case "auth":
			e.Auth = r.filled()
		case "code":
			e.Code = need.str(r)
		case "codes":
			e.Codes = r.texts()
		case "commitments":
			e.Commitments = r.texts()
		case "data_classes":
			e.DataClasses = r.list()
		case "decision":
			e.Decision = r.decision()
		case "digest":
			e.Digest = r.filled()
		case "human":
			e.Human = r.human()
		case "id":
			e.ID = need.str(r)
		case "legal_basis":
			e.LegalBasis = r.filled()
		case "model":
			e.Model = r.model()
		case "numbers":
			e.Numbers = r.numbers()
		case "object":
			e.Object = r.filled()
		case "on_behalf_of":
			e.OnBehalfOf = r.filled()
		case "purpose":
			e.Purpose = r.filled()
		case "reason":
			e.Reason = r.filled()
		case "request":
			e.Request = r.filled()
		case "time":
			e.Time = need.str(r)
		case "v":
			e.Version = int(need.int(r))
		case "workspace":
			e.Workspace = need.str(r)
		default:
			r.bad = true
		}
	})
	return e, !r.bad && need == 0 && r.at == len(s)
}

func (r *leafReader) decision() *Decision {
	d := &Decision{}
	need := want(4)
	r.object(func(key string) {
		switch key {
		case "asked":
			r.asked(&d.Asked)
			need--
		case "effect":
			d.Effect = need.str(r)
		case "policy_hash":
			d.PolicyHash = need.str(r)
		case "policy_version":
			d.PolicyVersion = need.int(r)
		case "reason":
			d.Reason = r.str()
		case "rules":
			d.Rules = r.list()
		default:
			r.bad = true
		}
	})
	r.bad = r.bad || need != 0 || d.Reason == ""
	return d
}

func (r *leafReader) asked(a *Asked) {
	need := want(4)
	r.object(func(key string) {
		switch key {
		case "action":
			a.Action = need.str(r)
		case "context":
			a.Context = r.texts()
		case "object":
			a.Object = need.str(r)
		case "subject":
			need--
			subject := want(1)
			r.object(func(key string) {
				switch key {
				case "id":
					a.Subject.ID = subject.str(r)
				case "roles":
					a.Subject.Roles = r.list()
				default:
					r.bad = true
				}
			})
			r.bad = r.bad || subject != 0
		case "workspace":
			a.Workspace = need.str(r)
		default:
			r.bad = true
		}
	})
	r.bad = r.bad || need != 0
}

func (r *leafReader) human() *Human {
	h := &Human{}
	r.object(func(key string) {
		switch key {
		case "outcome":
			h.Outcome = r.filled()
		case "override_of":
			h.OverrideOf = r.filled()
		case "reviewer":
			h.Reviewer = r.filled()
		default:
			r.bad = true
		}
	})
	return h
}

func (r *leafReader) model() *Model {
	m := &Model{}
	need := want(1)
	r.object(func(key string) {
		switch key {
		case "digest":
			m.Digest = r.filled()
		case "id":
			m.ID = need.str(r)
		case "version":
			m.Version = r.filled()
		default:
			r.bad = true
		}
	})
	r.bad = r.bad || need != 0
	return m
}

// stamp reads TimeFormat and no other spelling.
func stamp(s string) (time.Time, bool) {
	const form = "0000-00-00T00:00:00.000Z"
	if len(s) != len(form) {
		return time.Time{}, false
	}
	for i := range len(form) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return time.Time{}, false
		}
	}
	n := func(from, to int) (v int) {
		for _, c := range []byte(s[from:to]) {
			v = v*10 + int(c-'0')
		}
		return v
	}
	year, month, day, hour, minute, second := n(0, 4), n(5, 7), n(8, 10), n(11, 13), n(14, 16), n(17, 19)
	t := time.Date(year, time.Month(month), day, hour, minute, second, n(20, 23)*1e6, time.UTC)
	// Date carries over what does not exist, such as the 31st of June.
	same := t.Year() == year && int(t.Month()) == month && t.Day() == day && t.Hour() == hour && t.Minute() == minute && t.Second() == second
	return t, same
}
