package tokenizer

import "unicode"

// The word patterns of GPT-2, Llama 3 and Qwen, by hand: linear in the text.
const (
	patternGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// scanner is a pattern that matches at every place: it gives the end of the
// match that begins at from.
type scanner func(t text, from int) int

var scanners = map[string]scanner{
	patternGPT2:   nextGPT2,
	patternLlama3: func(t text, from int) int { return nextLlama3(t, from, 3) },
	patternQwen:   func(t text, from int) int { return nextLlama3(t, from, 1) },
}

func (s scanner) find(t text, from int, _ *int) (int, int, bool, error) {
	if from >= len(t) {
		return 0, 0, false, nil
	}
	return from, s(t, from), true, nil
}

// run is the end of the characters from at on for which in holds.
func (t text) run(at int, in func(rune) bool) int {
	for at < len(t) && in(t[at].r) {
		at++
	}
	return at
}

func isOtherSymbol(r rune) bool { return !unicode.IsSpace(r) && !isLetter(r) && !isNumber(r) }

func nextGPT2(t text, from int) int {
	c := t[from].r
	if c == '\'' {
		if n := contraction(t[from+1:], false); n > 0 {
			return from + 1 + n
		}
	}
	at := from
	if c == ' ' && from+1 < len(t) {
		at++
	}
	for _, in := range [...]func(rune) bool{isLetter, isNumber, isOtherSymbol} {
		if to := t.run(at, in); to > at {
			return to
		}
	}
	return t.blanks(from)
}

// nextLlama3 serves Qwen too, which takes digits one by one.
func nextLlama3(t text, from, digits int) int {
	c := t[from].r
	if c == '\'' {
		if n := contraction(t[from+1:], true); n > 0 {
			return from + 1 + n
		}
	}
	switch {
	case isLetter(c):
		return t.run(from, isLetter)
	case isNumber(c):
		to := from + 1
		for to < len(t) && to < from+digits && isNumber(t[to].r) {
			to++
		}
		return to
	case c != '\r' && c != '\n':
		if to := t.run(from+1, isLetter); to > from+1 {
			return to
		}
	}
	at := from
	if c == ' ' && from+1 < len(t) {
		at++
	}
	if to := t.run(at, isOtherSymbol); to > at {
		return t.run(to, isLineEnd)
	}
	for to := t.run(from, unicode.IsSpace); to > from; to-- {
		if isLineEnd(t[to-1].r) {
			return to
		}
	}
	return t.blanks(from)
}

func isLineEnd(r rune) bool { return r == '\r' || r == '\n' }

// blanks is \s+(?!\S)|\s+: a run of white space without the last of it where a
// word follows.
func (t text) blanks(from int) int {
	to := t.run(from, unicode.IsSpace)
	if to < len(t) && to > from+1 {
		to--
	}
	return max(to, from+1)
}

// contraction is the length of s, t, re, ve, m, ll or d at the start of t.
func contraction(t text, fold bool) int {
	at := func(i int) rune {
		if i >= len(t) {
			return 0
		}
		r := t[i].r
		if fold && r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		if fold && r == 'ſ' { // the only other character that folds to one of the letters
			r = 's'
		}
		return r
	}
	switch at(0) {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if at(1) == 'e' {
			return 2
		}
	case 'l':
		if at(1) == 'l' {
			return 2
		}
	}
	return 0
}
