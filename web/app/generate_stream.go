package app

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"vitrine/policy/privacy"
)

// Sink receives an answer while it is written. Its functions are called by one goroutine
// at a time; nil ones are left out. An error of Piece ends the answers as cut.
type Sink struct {
	// Start is called once, before the first piece, or at the end where there was none; what
	// can be refused has been refused by then.
	Start func(Started) error
	Piece func(Piece) error
}

// Started names the prediction that is being made.
type Started struct {
	ID            string
	Model         ModelRef
	PolicyVersion int64
	ReceiptURL    string
	PromptTokens  int
	PromptText    string           // as it is kept
	Prompt        []GeneratedToken // with their log-probabilities, where they were asked for
}

// Piece is what one answer goes on with: whole characters, masked as the rule demands, and
// the tokens that they complete. Where a rule masks, text is held back until no mask can
// reach it any more.
type Piece struct {
	Answer int // number of the answer
	Text   string
	Tokens []GeneratedToken
	Finish string // "" until the last piece of an answer
}

// veil masks a text that arrives in parts.
type veil struct {
	mask    []string
	text    strings.Builder
	settled int // bytes of text that no mask can reach any more
	sent    int // characters of the masked text that were handed on
	tokens  []GeneratedToken
	end     int // of the masked text, what tokens that were handed on have
}

// add takes a part and returns what can be handed on.
func (v *veil) add(text string, token *GeneratedToken) (string, []GeneratedToken) {
	v.text.WriteString(text)
	if token != nil {
		v.tokens = append(v.tokens, *token)
	}
	if len(v.mask) == 0 {
		tokens := v.tokens
		v.tokens = nil
		return text, tokens
	}
	b := settled(v.text.String(), v.settled)
	if b == v.settled {
		return "", nil
	}
	v.settled = b
	return v.release(b)
}

// close returns what was held back.
func (v *veil) close() (string, []GeneratedToken) {
	if len(v.mask) == 0 {
		return "", v.tokens
	}
	return v.release(v.text.Len())
}

// release hands on the masked text up to a byte of the text, with the tokens that end
// there.
func (v *veil) release(upTo int) (string, []GeneratedToken) {
	whole := v.text.String()
	masked, _, offsets := privacy.Mask(whole, v.mask)
	chars := utf8.RuneCountInString(whole[:upTo])
	_, end := offsets.Masked(0, chars)
	runes := []rune(masked)
	end = min(end, len(runes))
	text := string(runes[min(v.sent, end):end])
	v.sent = max(v.sent, end)
	var out []GeneratedToken
	hide := cover{masked: runes, offsets: offsets, end: v.end}
	for len(v.tokens) > 0 && (v.tokens[0].End <= chars || upTo == len(whole)) {
		out = append(out, hide.next(v.tokens[0]))
		v.tokens = v.tokens[1:]
	}
	v.end = hide.end
	return text, out
}

// settled is the last place from which on nothing of the text can become part of a
// finding that begins before it: a blank after a word of letters with a lower-case one
// among them, or between two Chinese, Japanese or Korean characters. No recogniser's
// pattern crosses either. from is an earlier such place.
func settled(text string, from int) int {
	at, word := from, from // word is where the word under way begins
	var before rune
	for i, c := range text[from:] {
		i += from
		switch {
		case unicode.IsSpace(c):
			if harmless(text[word:i]) {
				at = i
			}
			word = i + utf8.RuneLen(c)
		case i > from && uncased(before) && uncased(c):
			at, word = i, i
		}
		before = c
	}
	return at
}

func uncased(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

func harmless(word string) bool {
	lower := false
	for _, r := range word {
		if unicode.IsDigit(r) || r == '@' || r == '＠' {
			return false
		}
		lower = lower || unicode.IsLower(r) || uncased(r)
	}
	return lower
}
