package task

import "strings"

// Piece is the characters [Start,End) of a text.
type Piece struct{ Start, End int }

// Divide cuts a text into pieces of at most capacity tokens, without overlap and without a rest: behind the last sentence end in the second half of a piece, else
// at the last blank there, else between tokens. tokens are the text's own, in order.
func Divide(text string, tokens []Token, capacity int) []Piece {
	chars := []rune(text)
	if len(tokens) <= capacity || capacity < 1 {
		return []Piece{{0, len(chars)}}
	}
	var out []Piece
	start := 0
	for at := 0; at < len(tokens); {
		end := min(at+capacity, len(tokens))
		if end < len(tokens) {
			end = at + boundary(chars, tokens[at:end+1])
		}
		stop := len(chars)
		if end < len(tokens) {
			stop = max(tokens[end].Start, start)
		}
		out = append(out, Piece{start, stop})
		start, at = stop, end
	}
	return out
}

// sentenceEnds close a sentence, with or without a blank behind.
const sentenceEnds = ".!?…。！？\n"

// boundary is the number of tokens of a full piece before the best place to cut; the last of tokens is the first that does not fit.
func boundary(chars []rune, tokens []Token) int {
	full := len(tokens) - 1
	blank := 0
	for n := full; n > full/2; n-- {
		before, at := lastVisible(chars, tokens[n].Start), tokens[n].Start
		apart := at > 0 && at < len(chars) && (isBlank(chars[at]) || isBlank(chars[at-1]))
		if at < len(chars) && chars[at] == '\n' {
			return n
		}
		if before >= 0 && strings.ContainsRune(sentenceEnds, chars[before]) && (apart || chars[before] > 0x7f || chars[before] == '\n') {
			return n
		}
		if apart && blank == 0 {
			blank = n
		}
	}
	if blank > 0 {
		return blank
	}
	return full
}

// lastVisible is the last character before at that is no blank; a line end counts as visible.
func lastVisible(chars []rune, at int) int {
	for i := min(at, len(chars)) - 1; i >= 0; i-- {
		if !isBlank(chars[i]) || chars[i] == '\n' {
			return i
		}
	}
	return -1
}

func isBlank(r rune) bool {
	return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\u3000' || r == '\u00a0'
}
