package explain

import (
	"strings"
	"unicode"
)

// scripts of the languages that model cards name, by code and by English name.
var scripts = map[string][]*unicode.RangeTable{
	"en english": {unicode.Latin}, "de german": {unicode.Latin}, "fr french": {unicode.Latin}, "es spanish": {unicode.Latin},
	"it italian": {unicode.Latin}, "pt portuguese": {unicode.Latin}, "nl dutch": {unicode.Latin}, "sv swedish": {unicode.Latin},
	"da danish": {unicode.Latin}, "no norwegian": {unicode.Latin}, "fi finnish": {unicode.Latin}, "pl polish": {unicode.Latin},
	"cs czech": {unicode.Latin}, "hu hungarian": {unicode.Latin}, "ro romanian": {unicode.Latin}, "tr turkish": {unicode.Latin},
	"vi vietnamese": {unicode.Latin}, "id indonesian": {unicode.Latin}, "sr serbian": {unicode.Latin, unicode.Cyrillic},
	"ru russian": {unicode.Cyrillic}, "uk ukrainian": {unicode.Cyrillic}, "bg bulgarian": {unicode.Cyrillic},
	"el greek": {unicode.Greek}, "he hebrew": {unicode.Hebrew}, "ar arabic": {unicode.Arabic}, "fa persian": {unicode.Arabic},
	"ur urdu": {unicode.Arabic}, "hi hindi": {unicode.Devanagari}, "bn bengali": {unicode.Bengali}, "ta tamil": {unicode.Tamil},
	"th thai": {unicode.Thai}, "zh chinese": {unicode.Han, unicode.Bopomofo}, "ko korean": {unicode.Hangul, unicode.Han},
	"ja japanese": {unicode.Han, unicode.Hiragana, unicode.Katakana},
}

// foreignShare is the share of letters in other scripts from which on a text counts as foreign to the model.
const foreignShare = 0.2

// ForeignScript says whether over 20 % of the text's letters are in scripts of which the model card names no
// language. The card is read for the hub's "language:" field, and where it has none for English names of languages.
// A card that names none, or calls the model multilingual, warns of nothing.
func ForeignScript(card, text string) bool {
	allowed := cardScripts(card)
	if len(allowed) == 0 {
		return false
	}
	letters, foreign := 0, 0
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		if !unicode.In(r, allowed...) && !unicode.In(r, unicode.Common, unicode.Inherited) {
			foreign++
		}
	}
	return float64(foreign) > foreignShare*float64(letters)
}

// cardScripts lists the scripts of the languages that a card names: in its language field, or else in the first
// paragraph that names one (later paragraphs often name what the model cannot read).
func cardScripts(card string) []*unicode.RangeTable {
	field, body := cardField(card)
	if len(field) > 0 {
		return scriptsOf(field, 2)
	}
	for paragraph := range strings.SplitSeq(body, "\n\n") {
		if words := letterWords(paragraph); words["multilingual"] {
			return nil
		} else if tables := scriptsOf(words, 4); len(tables) > 0 {
			return tables
		}
	}
	return nil
}

// scriptsOf finds languages among words of at least the given length: codes of two letters mean other things in prose.
func scriptsOf(words map[string]bool, least int) []*unicode.RangeTable {
	if words["multilingual"] {
		return nil
	}
	var out []*unicode.RangeTable
	for names, tables := range scripts {
		code, name, _ := strings.Cut(names, " ")
		if words[name] || least <= len(code) && words[code] {
			out = append(out, tables...)
		}
	}
	return out
}

func letterWords(s string) map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) }) {
		words[w] = true
	}
	return words
}

// cardField reads the words of the language field of the card's front matter (the hub's YAML: one value, an inline
// list or a list of lines), and gives the card without its front matter.
func cardField(card string) (field map[string]bool, body string) {
	rest, ok := strings.CutPrefix(card, "---\n")
	if !ok {
		return nil, card
	}
	matter, body, _ := strings.Cut(rest, "\n---")
	var text strings.Builder
	inList := false
	for line := range strings.Lines(matter) {
		value, starts := strings.CutPrefix(line, "language:")
		item := strings.HasPrefix(strings.TrimSpace(line), "- ")
		if starts || inList && item {
			text.WriteString(value + " ")
		}
		inList = starts || inList && item
	}
	return letterWords(text.String()), body
}
