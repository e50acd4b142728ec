package app

import (
	"bytes"
	"image"
	_ "image/jpeg" // sizes of stored pictures
	_ "image/png"
	"unicode/utf8"

	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/privacy"
)

// placeholderToken stands for a token of masked text in whatever leaves the server.
const placeholderToken = "▮"

// maxText bounds a text in bytes before anything looks at it. The engine reads long
// texts in windows; this is a bound on work, not on what a model can read.
const maxText = 4 << 20

// maxImage bounds an encoded picture in bytes.
const maxImage = 32 << 20

// protected is an input on its way to the model: what is kept, and what the model sees.
type protected struct {
	kept     InputView       // masked text; no picture
	image    []byte          // encoded
	seen     inference.Input // what the model reads: the kept text, or the clear one
	clear    bool            // seen holds more than kept
	findings []privacy.Finding
	offsets  privacy.Offsets // of Text
	pairs    privacy.Offsets // of Pair
}

// protect applies the masking obligations to an input. Empty and ill-formed inputs are
// refused with ErrInput.
func protect(o policy.Obligations, text, pair *string, picture []byte) (*protected, error) {
	switch {
	case text == nil && pair != nil:
		return nil, fail(ErrInput, "send the first text too", "a second text came without a first one")
	case text == nil && len(picture) == 0:
		return nil, fail(ErrInput, "send a text or a picture", "there is nothing to run the model on")
	case text != nil && len(picture) > 0:
		return nil, fail(ErrInput, "send one of them", "a text and a picture came together")
	case len(picture) > maxImage:
		return nil, fail(ErrInput, "send a picture of at most 32 MB", "the picture has %d bytes", len(picture))
	}
	if text == nil {
		p := &protected{image: picture, seen: inference.Input{Image: picture}}
		p.kept = InputView{Modality: "image", Kept: true, Bytes: len(picture)}
		if c, _, err := image.DecodeConfig(bytes.NewReader(picture)); err == nil {
			p.kept.Width, p.kept.Height = c.Width, c.Height
		}
		return p, nil
	}
	p := &protected{kept: InputView{Modality: "text", Kept: true}}
	for _, t := range []*string{text, pair} {
		if t == nil {
			continue
		}
		if len(*t) > maxText {
			return nil, fail(ErrInput, "split it", "the text has %d bytes, at most %d are read", len(*t), maxText)
		}
		if !utf8.ValidString(*t) {
			return nil, fail(ErrInput, "send the text as UTF-8", "the text is not valid UTF-8")
		}
		p.kept.Bytes += len(*t)
	}
	p.kept.Text, p.offsets = p.mask(o, *text)
	if pair != nil {
		masked, offsets := p.mask(o, *pair)
		p.kept.Pair, p.pairs = &masked, offsets
	}
	p.kept.Masked = p.findings
	p.clear = o.ModelSeesClear && len(p.findings) > 0
	p.seen = inference.Input{Text: p.kept.Text, Pair: p.kept.Pair}
	if p.clear {
		p.seen = inference.Input{Text: *text, Pair: pair}
	}
	return p, nil
}

// mask replaces what the obligations name and collects the findings. No obligation
// means no masking, which privacy.Mask spells differently.
func (p *protected) mask(o policy.Obligations, text string) (string, privacy.Offsets) {
	if len(o.Mask) == 0 {
		return text, privacy.Offsets{}
	}
	masked, findings, offsets := privacy.Mask(text, o.Mask)
	p.findings = append(p.findings, findings...)
	return masked, offsets
}

// tokens brings the model's tokens into the terms of the kept text: where the model saw
// more, a token that touches masked characters loses its text and covers the whole
// placeholder.
func (p *protected) tokens(tokens []inference.Token) []inference.Token {
	if !p.clear {
		return tokens
	}
	out := make([]inference.Token, len(tokens))
	for i, t := range tokens {
		out[i] = p.cover(t)
	}
	return out
}

func (p *protected) cover(t inference.Token) inference.Token {
	if t.Special {
		return t
	}
	offsets := p.offsets
	if t.Pair {
		offsets = p.pairs
	}
	start, end := offsets.Masked(t.Start, t.End)
	for _, r := range offsets.Placeholders() {
		if start < r[1] && end > r[0] {
			t.Text, t.ID = placeholderToken, 0
		}
	}
	t.Start, t.End = start, end
	return t
}

// entities does for found spans what tokens does for tokens; their text is cut from
// the kept text.
func (p *protected) entities(list []inference.Entity) []inference.Entity {
	if !p.clear {
		return list
	}
	kept := []rune(p.kept.Text)
	out := make([]inference.Entity, len(list))
	for i, e := range list {
		e.Start, e.End = p.offsets.Masked(e.Start, e.End)
		e.Text = string(kept[min(max(e.Start, 0), len(kept)):min(max(e.End, e.Start), len(kept))])
		out[i] = e
	}
	return out
}

// remask applies a reader's masking obligations to what was kept under the writer's. It
// changes nothing where the writer's covered as much.
func remask(o policy.Obligations, v *PredictionView) {
	if len(o.Mask) == 0 || v.Input.Modality != "text" {
		return
	}
	remaskGenerated(o, v)
	p := protected{}
	text, offsets := p.mask(o, v.Input.Text)
	var pairs privacy.Offsets
	pair := v.Input.Pair
	if pair != nil {
		var masked string
		masked, pairs = p.mask(o, *pair)
		pair = &masked
	}
	if len(p.findings) == 0 {
		return
	}
	again := protected{kept: InputView{Text: text, Pair: pair}, clear: true, offsets: offsets, pairs: pairs,
		seen: inference.Input{Text: v.Input.Text, Pair: v.Input.Pair}}
	v.Tokens = again.tokens(v.Tokens)
	v.Output.Prompt = coverTokens(v.Output.Prompt, text, offsets)
	v.Output.Entities = again.entities(v.Output.Entities)
	if v.Output.Answer != nil {
		e := again.entities([]inference.Entity{*v.Output.Answer})[0]
		v.Output.Answer = &e
	}
	v.Input.Text, v.Input.Pair = text, pair
	v.Input.Masked = append(v.Input.Masked, p.findings...)
}
