package web

import (
	"net/http"
	"strings"

	"vitrine/web/app"
)

// hfWrites are the tasks whose answer is a text, and the member that holds it.
var hfWrites = map[string]string{
	"text-generation": "generated_text", "text2text-generation": "generated_text",
	"summarization": "summary_text", "translation": "translation_text",
}

// hfDetails is what a text was made of.
type hfDetails struct {
	FinishReason    string      `json:"finish_reason"` // length, eos_token, stop_sequence
	GeneratedTokens int         `json:"generated_tokens"`
	Seed            *uint64     `json:"seed"`
	Prefill         []hfToken   `json:"prefill,omitempty"`
	Tokens          []hfToken   `json:"tokens,omitempty"`
	TopTokens       [][]hfToken `json:"top_tokens,omitempty"`
}

type hfToken struct {
	ID      int32    `json:"id"`
	Text    string   `json:"text"`
	Logprob *float64 `json:"logprob"`
	Special bool     `json:"special"`
}

// hfStream is one event of a stream.
type hfStream struct {
	Index         int            `json:"index"`
	Token         hfToken        `json:"token"`
	TopTokens     []hfToken      `json:"top_tokens,omitempty"`
	GeneratedText *string        `json:"generated_text"`
	Details       *hfDetails     `json:"details"`
	Vitrine       *vitrineMember `json:"vitrine,omitempty"`
}

// hfCall is a call for a text understood.
type hfCall struct {
	r               app.GenerateRequest
	member          string
	stream, details bool
	prefill, whole  bool
	top             int
}

// generation takes the parameters of a text that is to be written.
func (p *hfParams) generation(x *call, task string, r *app.PredictRequest) (*hfCall, error) {
	q := &hfCall{member: hfWrites[task]}
	g := &q.r
	g.Model, g.Text, g.Purpose, g.DataClass, g.Subject, g.RequestID = r.Model, &p.inputs, r.Purpose, r.DataClass, r.Subject, r.RequestID
	x.limit(g, 1, "max_new_tokens", "max_length")
	if g.MaxTokens == nil && task == "text-generation" {
		twenty := 20
		g.MaxTokens = &twenty
	}
	sample := false
	x.take("do_sample", &sample)
	x.number("temperature", &g.Temperature, 0, 100)
	if sample && g.Temperature == 0 {
		g.Temperature = 1
	}
	x.number("top_p", &g.TopP, 0, 1)
	x.number("typical_p", &g.TypicalP, 0, 1)
	x.number("repetition_penalty", &g.Repetition, 0.01, 100)
	x.number("frequency_penalty", &g.Frequency, -2, 2)
	x.whole("top_k", &g.TopK, 0, 1<<30)
	x.whole("num_beams", &g.Beams, 1, 64)
	x.whole("best_of", &g.BestOf, 1, 16)
	x.seed(g)
	if g.Stop = x.stops("stop"); g.Stop == nil {
		g.Stop = x.stops("stop_sequences")
	}
	x.take("return_full_text", &q.whole)
	x.take("details", &q.details)
	x.take("decoder_input_details", &q.prefill)
	x.whole("top_n_tokens", &q.top, 0, 20)
	x.take("stream", &q.stream)
	g.Format = x.format("grammar")
	x.take("src_lang", new(string))
	x.take("tgt_lang", &g.Language)
	x.take("prefix", &g.Prefix)
	g.Alternatives, g.ScorePrompt = q.top, q.prefill
	var e *explainBody
	x.take("explain", &e)
	if e != nil {
		one := e.request(x.c)
		g.Explain = &one
	}
	return q, x.err
}

// hfGenerate answers a call for a text.
func hfGenerate(c *Context, task string, p *hfParams, r *app.PredictRequest) error {
	x := &call{hfParams: *p, c: c}
	q, err := p.generation(x, task, r)
	if err != nil {
		return err
	}
	x.ignored()
	if q.stream {
		return hfGenerateStream(c, q)
	}
	v, err := c.App.Generate(c.Ctx(), c.Caller, q.r, app.Sink{})
	if err != nil {
		return err
	}
	c.receipt(v)
	out := obj{q.member: q.text(v)}
	if q.details {
		out["details"] = q.detail(v)
	}
	if v.Explanation != nil {
		out["vitrine"] = memberOf(v)
	}
	return c.JSON(http.StatusOK, []obj{out})
}

func (q *hfCall) text(v *app.PredictionView) string {
	text := v.Output.Generated[0].Text
	if q.whole {
		text = v.Input.Text + text
	}
	return text
}

func (q *hfCall) detail(v *app.PredictionView) *hfDetails {
	g := v.Output.Generated[0]
	d := &hfDetails{FinishReason: hfFinish(g.Finish), GeneratedTokens: len(g.Tokens), Tokens: []hfToken{}}
	if q.r.Temperature > 0 {
		d.Seed = &g.Seed
	}
	for i, t := range v.Output.Prompt {
		one := hfTokenOf(t)
		if i == 0 {
			one.Logprob = nil
		}
		d.Prefill = append(d.Prefill, one)
	}
	for _, t := range g.Tokens {
		d.Tokens = append(d.Tokens, hfTokenOf(t))
		if q.top > 0 {
			d.TopTokens = append(d.TopTokens, hfTop(t, q.top))
		}
	}
	return d
}

func hfTokenOf(t app.GeneratedToken) hfToken {
	return hfToken{ID: t.ID, Text: t.Text, Logprob: &t.LogProb, Special: t.Special}
}

func hfTop(t app.GeneratedToken, top int) []hfToken {
	out := []hfToken{}
	for _, a := range t.Alternatives[:min(top, len(t.Alternatives))] {
		out = append(out, hfToken{ID: a.ID, Text: a.Text, Logprob: &a.LogProb})
	}
	return out
}

func hfFinish(finish string) string {
	switch finish {
	case app.FinishEOS:
		return "eos_token"
	case app.FinishStop:
		return "stop_sequence"
	}
	return "length"
}

// hfGenerateStream answers with an event a token; the last one has the whole text.
func hfGenerateStream(c *Context, q *hfCall) error {
	s := &events{c: c}
	defer s.close()
	var last *hfStream
	n := 0
	v, err := c.App.Generate(c.Ctx(), c.Caller, q.r, app.Sink{
		Start: func(b app.Started) error { c.started(b); return nil },
		Piece: func(p app.Piece) error {
			rest := p.Text
			for _, t := range p.Tokens {
				if last != nil {
					if err := s.send(last); err != nil {
						return err
					}
				}
				n++
				last = &hfStream{Index: n, Token: hfTokenOf(t)}
				if q.top > 0 {
					last.TopTokens = hfTop(t, q.top)
				}
				rest = strings.TrimPrefix(rest, t.Text)
			}
			if rest != "" && last != nil { // what a stop could have begun with
				last.Token.Text += rest
			}
			return nil
		},
	})
	if err != nil {
		return s.fail(err)
	}
	if last == nil {
		last = &hfStream{Index: 1, Token: hfToken{Special: true, Logprob: new(float64)}}
	}
	text := q.text(v)
	last.GeneratedText, last.Details, last.Vitrine = &text, q.detail(v), memberOf(v)
	last.Details.Tokens, last.Details.TopTokens, last.Details.Prefill = nil, nil, nil
	_ = s.send(last) // who went away has lost nothing that is not kept
	return nil
}

// hfNested are the routes of the OpenAI protocol below a model's address, which these
// clients append to it.
func hfNested(name string) (model string, answer func(c *Context, model string) error) {
	for suffix, h := range map[string]func(*Context, string) error{"/v1/chat/completions": oaChatCreate, "/v1/completions": oaCompletionCreate} {
		if model, ok := strings.CutSuffix(name, suffix); ok && model != "" {
			return model, h
		}
	}
	return "", nil
}
