package privacy

import "strings"

// Offsets relates characters of a masked text to the text it came from.
type Offsets struct {
	cuts []cut
}

// cut is one replaced span, in characters.
type cut struct{ start, end, maskedStart, maskedEnd int }

// Mask replaces the personal data of the given kinds (nil or "pii": all) by
// "[EMAIL]" and the like. Findings count characters of the original text. The
// same text gives the same masked text always.
func Mask(text string, ids []string) (masked string, findings []Finding, offsets Offsets) {
	findings = DetectOnly(text, ids)
	if len(findings) == 0 {
		return text, nil, Offsets{}
	}
	bounds := byteOffsets(text, findings)
	var b strings.Builder
	from, shift := 0, 0 // bytes copied so far; characters the masked text is ahead
	for i, f := range findings {
		label := Label(f.Recogniser)
		b.WriteString(text[from:bounds[2*i]])
		b.WriteString(label)
		from = bounds[2*i+1]
		start := f.Start + shift
		offsets.cuts = append(offsets.cuts, cut{f.Start, f.End, start, start + len(label)})
		shift += len(label) - (f.End - f.Start)
	}
	b.WriteString(text[from:])
	return b.String(), findings, offsets
}

// byteOffsets returns start and end of each finding in bytes.
func byteOffsets(text string, findings []Finding) []int {
	out := make([]int, 0, 2*len(findings))
	want := func() int {
		if len(out) == cap(out) {
			return -1
		}
		f := findings[len(out)/2]
		if len(out)%2 == 0 {
			return f.Start
		}
		return f.End
	}
	char := 0
	for at := range text {
		for want() == char {
			out = append(out, at)
		}
		char++
	}
	for len(out) < cap(out) {
		out = append(out, len(text))
	}
	return out
}

// Original maps the character range [start, end) of the masked text to the
// original: a range that touches a placeholder covers all that it replaced.
func (o Offsets) Original(start, end int) (int, int) {
	return o.translate(start, false, true), o.translate(end, true, true)
}

// Masked maps the character range [start, end) of the original to the masked
// text: a range that touches replaced text covers the whole placeholder.
func (o Offsets) Masked(start, end int) (int, int) {
	return o.translate(start, false, false), o.translate(end, true, false)
}

func (o Offsets) translate(at int, isEnd, back bool) int {
	shift := 0
	for _, c := range o.cuts {
		s, e, ts, te := c.start, c.end, c.maskedStart, c.maskedEnd
		if back {
			s, e, ts, te = ts, te, s, e
		}
		if at < s || isEnd && at == s {
			break
		}
		if at < e || isEnd && at == e {
			if isEnd {
				return te
			}
			return ts
		}
		shift = te - e
	}
	return at + shift
}

// Placeholders returns the character ranges of the placeholders in the masked
// text, in order.
func (o Offsets) Placeholders() [][2]int {
	out := make([][2]int, len(o.cuts))
	for i, c := range o.cuts {
		out[i] = [2]int{c.maskedStart, c.maskedEnd}
	}
	return out
}
