package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// part is a stretch of a decoded token: whole (first and last set), or one of
// several that arrive one after another.
type part struct {
	s           string
	first, last bool
}

// stage is a decoder at work on one stream. What it is given and what it hands
// on are tokens in order; flush comes once, at the end.
type stage interface {
	push(p part, out func(part))
	flush(out func(part))
}

// tokenwise is a decoder that looks at one token at a time; fn gets the number
// of the token in the stream.
type tokenwise func(i int, token string) string

func (fn tokenwise) start() stage { return &tokenwiseStage{fn: fn} }

type tokenwiseStage struct {
	fn   tokenwise
	i    int
	held []byte
}

func (t *tokenwiseStage) push(p part, out func(part)) {
	if !p.first || !p.last {
		t.held = append(t.held, p.s...)
		if !p.last {
			return
		}
		p.s, t.held = string(t.held), t.held[:0]
	}
	out(part{t.fn(t.i, p.s), true, true})
	t.i++
}

func (t *tokenwiseStage) flush(func(part)) {}

// chain is several decoders, each working on what the one before hands on.
type chain []decoder

func (c chain) start() stage {
	var stages []stage
	for _, d := range c {
		stages = append(stages, d.start())
	}
	return chainStage(stages)
}

type chainStage []stage

func (c chainStage) push(p part, out func(part)) {
	if len(c) == 0 {
		out(p)
		return
	}
	c[0].push(p, func(p part) { c[1:].push(p, out) })
}

func (c chainStage) flush(out func(part)) {
	if len(c) > 0 {
		c[0].flush(func(p part) { c[1:].push(p, out) })
		c[1:].flush(out)
	}
}

// Stream turns ids into text as they come. The texts that Add and Close return,
// put together, are what Decode gives for all ids; none of them ends within a
// character. Not safe for concurrent use.
type Stream struct {
	token func(id int32) (string, bool)
	stage stage
	out   []byte
}

// Add returns the text that id settles, "" while a character is incomplete.
func (s *Stream) Add(id int32) string {
	if token, ok := s.token(id); ok {
		s.stage.push(part{token, true, true}, s.take)
	}
	return s.drain()
}

// Close returns what was held back. Bytes that never became a character read
// as U+FFFD, as in Decode.
func (s *Stream) Close() string {
	s.stage.flush(s.take)
	return s.drain()
}

func (s *Stream) take(p part) { s.out = append(s.out, p.s...) }

func (s *Stream) drain() string {
	text := string(s.out)
	s.out = s.out[:0]
	return text
}

// blanks puts a blank between tokens: what the reference does without decoder.
var blanks = tokenwise(func(i int, token string) string {
	if i == 0 {
		return token
	}
	return " " + token
})

// Stream starts decoding one id at a time.
func (p *pipeline) Stream(skipSpecial bool) *Stream {
	d := p.decode
	if d == nil {
		d = blanks
	}
	return &Stream{stage: d.start(), token: func(id int32) (string, bool) { return p.shown(id, skipSpecial) }}
}

// shown is the form of a token that decoding works on.
func (p *pipeline) shown(id int32, skipSpecial bool) (string, bool) {
	name, ok := p.added.shown[id]
	if !ok && id >= 0 && int(id) < len(p.names) {
		name = p.names[id]
		ok = name != ""
	}
	return name, ok && !(skipSpecial && p.added.special[name])
}

func (p *pipeline) Decode(ids []int32, skipSpecial bool) string {
	s := p.Stream(skipSpecial)
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(s.Add(id))
	}
	b.WriteString(s.Close())
	return b.String()
}

// utf8Buffer collects bytes and gives back whole characters. A byte sequence
// that is not UTF-8 reads as one U+FFFD for each maximal subpart (The Unicode
// Standard, section 3.9), as Rust's from_utf8_lossy.
type utf8Buffer struct{ held []byte }

// add returns the characters that are complete; at the end everything is.
func (u *utf8Buffer) add(b []byte, end bool) string {
	u.held = append(u.held, b...)
	var out []byte
	at := 0
	for at < len(u.held) {
		rest := u.held[at:]
		if r, n := utf8.DecodeRune(rest); r != utf8.RuneError || n > 1 {
			out = append(out, rest[:n]...)
			at += n
			continue
		}
		n, open := subpart(rest)
		if open && !end {
			break
		}
		out = append(out, "\uFFFD"...)
		at += n
	}
	u.held = append(u.held[:0], u.held[at:]...)
	return string(out)
}

// subpart measures the longest beginning of b that some character has; open is
// true where more bytes could complete it.
func subpart(b []byte) (n int, open bool) {
	low, high, need := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		if c == 0xE0 {
			low = 0xA0
		} else if c == 0xED {
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		if c == 0xF0 {
			low = 0x90
		} else if c == 0xF4 {
			high = 0x8F
		}
	default:
		return 1, false
	}
	for n = 1; n <= need; n++ {
		if n == len(b) {
			return n, true
		}
		if b[n] < low || b[n] > high {
			return n, false
		}
		low, high = 0x80, 0xBF
	}
	return n, false
}
