package app

import (
	"slices"
	"unicode/utf8"

	"vitrine/inference"
	"vitrine/inference/generate"
	"vitrine/policy"
	"vitrine/policy/privacy"
)

// Tasks of a text that was written by a model which goes on from a text.
const (
	taskGeneration = "text-generation"
	taskChat       = "chat"
)

// How an answer ended.
const (
	FinishEOS    = "eos"    // the model wrote a token that ends it
	FinishStop   = "stop"   // a stop text was written; it is not in the answer
	FinishLength = "length" // as many tokens as were allowed
	FinishCut    = "cut"    // the reader went away, or it took too long
)

// GeneratedText is one text that a model wrote.
type GeneratedText struct {
	Text   string           `json:"text"`   // masked as the rule demands
	Finish string           `json:"finish"` // eos, stop, length or cut
	Seed   uint64           `json:"seed"`   // of this text, where tokens were drawn
	Tokens []GeneratedToken `json:"tokens"`
	// LogProb is the sum over Tokens; of beam search, Score is what the beams were ranked by.
	LogProb float64           `json:"logprob"`
	Score   float64           `json:"score,omitempty"`
	Masked  []privacy.Finding `json:"masked,omitempty"` // what was replaced; positions count characters of what the model wrote
}

// GeneratedToken is one token of a text that was written, or of the prompt where that was
// scored. Start and End count characters of GeneratedText.Text (of the prompt:
// InputView.Text). A token within a character has no text; the one that completes the
// character has it whole. The texts of all tokens together are the answer; one that ends it
// has none.
type GeneratedToken struct {
	ID      int32   `json:"id"`
	Text    string  `json:"text"`
	Start   int     `json:"start"`
	End     int     `json:"end"`
	LogProb float64 `json:"logprob"` // of the network's own logits, before temperature and penalties; 0 for a prompt's first token
	Special bool    `json:"special,omitempty"`
	// Masked: the token touches personal data that was replaced. Its id, log-probability and
	// alternatives are gone, so that the text cannot be explained; of several tokens that
	// touch a placeholder the first has it as its text.
	Masked bool `json:"masked,omitempty"`
	// Window counts the parts of a long document that an encoder read one after another.
	Window int `json:"window,omitempty"`
	// Alternatives are the likeliest tokens at this place, best first; the chosen one is among
	// them where it was as likely.
	Alternatives []TokenAlternative `json:"alternatives,omitempty"`
}

// TokenAlternative is a token that was possible.
type TokenAlternative struct {
	ID      int32   `json:"id"`
	Text    string  `json:"text"` // as it reads within a text, with the space before it
	LogProb float64 `json:"logprob"`
}

// SamplingView is how tokens were chosen: with the model and the prompt it gives the same
// text on every machine.
type SamplingView struct {
	MaxTokens     int               `json:"max_tokens"` // 0 = as many as fit
	MinTokens     int               `json:"min_tokens,omitempty"`
	Temperature   float64           `json:"temperature"`
	TopK          int               `json:"top_k,omitempty"`
	TopP          float64           `json:"top_p,omitempty"`
	MinP          float64           `json:"min_p,omitempty"`
	TypicalP      float64           `json:"typical_p,omitempty"`
	Repetition    float64           `json:"repetition_penalty,omitempty"`
	Frequency     float64           `json:"frequency_penalty,omitempty"`
	Presence      float64           `json:"presence_penalty,omitempty"`
	NoRepeat      int               `json:"no_repeat_ngram,omitempty"`
	Bias          map[int32]float64 `json:"bias,omitempty"`
	Beams         int               `json:"beams,omitempty"`
	LengthPenalty float64           `json:"length_penalty,omitempty"`
	Seed          uint64            `json:"seed"`
	Stop          []string          `json:"stop,omitempty"`
	BestOf        int               `json:"best_of,omitempty"`
	Format        *FormatRequest    `json:"format,omitempty"`
	Prefix        string            `json:"prefix,omitempty"`
	Language      string            `json:"language,omitempty"`
	// PromptTokens is what the model read, Written what it wrote, answers that were not
	// chosen included.
	PromptTokens int `json:"prompt_tokens"`
	Written      int `json:"written"`
}

func (r *GenerateRequest) sampling(seed uint64) *SamplingView {
	v := &SamplingView{
		MinTokens: r.MinTokens, Temperature: r.Temperature, TopK: r.TopK, TopP: r.TopP, MinP: r.MinP, TypicalP: r.TypicalP,
		Repetition: r.Repetition, Frequency: r.Frequency, Presence: r.Presence, NoRepeat: r.NoRepeat, Bias: r.Bias,
		Beams: r.Beams, LengthPenalty: r.LengthPenalty, Seed: seed, Stop: r.Stop, Format: r.Format, Prefix: r.Prefix, Language: r.Language,
	}
	if r.MaxTokens != nil {
		v.MaxTokens = *r.MaxTokens
	}
	if r.BestOf > r.N {
		v.BestOf = r.BestOf
	}
	return v
}

// speller turns ids into words, each once.
type speller struct {
	model *inference.Model
	words map[int32]string
}

func (s *speller) piece(id int32) string {
	w, ok := s.words[id]
	if !ok {
		w = s.model.Piece(id)
		s.words[id] = w
	}
	return w
}

func (s *speller) alternatives(list []generate.Alternative) []TokenAlternative {
	out := make([]TokenAlternative, len(list))
	for i, x := range list {
		out[i] = TokenAlternative{ID: x.ID, Text: s.piece(x.ID), LogProb: x.LogProb}
	}
	return out
}

// token is one id as it is shown; at is where its text begins.
func (s *speller) token(t inference.Written, at int, ends []int32) GeneratedToken {
	return GeneratedToken{ID: t.ID, Text: t.Text, Start: at, End: at + utf8.RuneCountInString(t.Text), LogProb: t.LogProb,
		Special: slices.Contains(ends, t.ID), Window: t.Window, Alternatives: s.alternatives(t.Alternatives)}
}

// answer is a text that was written, not masked yet.
func (s *speller) answer(a inference.WrittenAnswer, seed uint64, ends []int32) GeneratedText {
	g := GeneratedText{Text: a.Text, Finish: a.End, Seed: seed, Score: a.Score, Tokens: make([]GeneratedToken, 0, len(a.Tokens))}
	at := 0
	for _, t := range a.Tokens {
		one := s.token(t, at, ends)
		at = one.End
		g.LogProb += one.LogProb
		g.Tokens = append(g.Tokens, one)
	}
	if n := len(g.Tokens); g.Finish == generate.EndStop && n > 0 && g.Tokens[n-1].Special {
		g.Finish = FinishEOS
	}
	return g
}

// mask replaces what a rule masks in a text that was written, and covers the tokens that
// touch it.
func (g *GeneratedText) mask(o policy.Obligations) {
	if len(o.Mask) == 0 {
		return
	}
	text, findings, offsets := privacy.Mask(g.Text, o.Mask)
	if len(findings) == 0 {
		return
	}
	g.Text, g.Masked = text, append(g.Masked, findings...)
	g.Tokens = coverTokens(g.Tokens, text, offsets)
}

// cover brings tokens of a text, one after another, into the terms of the masked one.
type cover struct {
	masked  []rune
	offsets privacy.Offsets
	end     int // of the masked text, what earlier tokens have
}

// coverTokens does so for all tokens of a text.
func coverTokens(tokens []GeneratedToken, masked string, offsets privacy.Offsets) []GeneratedToken {
	c := cover{masked: []rune(masked), offsets: offsets}
	out := make([]GeneratedToken, len(tokens))
	for i, t := range tokens {
		out[i] = c.next(t)
	}
	return out
}

// next covers one token. Of several that touch a placeholder the first one has it.
func (c *cover) next(t GeneratedToken) GeneratedToken {
	if t.Start == t.End { // within a character, or at the end of the text
		t.Start, _ = c.offsets.Masked(t.Start, t.Start+1)
		t.End = t.Start
	} else {
		t.Start, t.End = c.offsets.Masked(t.Start, t.End)
	}
	hidden := t.Masked
	for _, r := range c.offsets.Placeholders() {
		hidden = hidden || t.Start < r[1] && t.End > r[0] || t.Start == t.End && t.Start >= r[0] && t.Start < r[1]
	}
	if hidden {
		from := min(max(t.Start, c.end), t.End)
		text := string(c.masked[min(from, len(c.masked)):min(t.End, len(c.masked))])
		t = GeneratedToken{Text: text, Start: t.Start, End: t.End, Masked: true, Window: t.Window}
	}
	c.end = max(c.end, t.End)
	return t
}

// remaskGenerated applies a reader's masks to what was kept under the writer's.
func remaskGenerated(o policy.Obligations, v *PredictionView) {
	v.Output.Generated = slices.Clone(v.Output.Generated)
	for i := range v.Output.Generated {
		v.Output.Generated[i].mask(o)
	}
	v.Input.Messages = slices.Clone(v.Input.Messages)
	for i := range v.Input.Messages {
		m := &v.Input.Messages[i]
		m.Content, _, _ = privacy.Mask(m.Content, o.Mask)
	}
}

// roundTokens rounds the figures of tokens on their way out.
func roundTokens(o policy.Obligations, list []GeneratedToken) []GeneratedToken {
	if o.Round == nil {
		return list
	}
	figures := policy.Obligations{Round: o.Round}
	list = slices.Clone(list)
	for i := range list {
		t := &list[i]
		t.LogProb = figures.Rounded(t.LogProb)
		t.Alternatives = slices.Clone(t.Alternatives)
		for j := range t.Alternatives {
			t.Alternatives[j].LogProb = figures.Rounded(t.Alternatives[j].LogProb)
		}
	}
	return list
}

// roundGenerated rounds the figures of what was written.
func roundGenerated(o policy.Obligations, v *PredictionView) {
	v.Output.Generated = slices.Clone(v.Output.Generated)
	for i := range v.Output.Generated {
		g := &v.Output.Generated[i]
		g.LogProb, g.Score, g.Tokens = o.Rounded(g.LogProb), o.Rounded(g.Score), roundTokens(o, g.Tokens)
	}
	v.Output.Prompt = roundTokens(o, v.Output.Prompt)
}
