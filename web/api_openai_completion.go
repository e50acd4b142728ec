package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"vitrine/policy"
	"vitrine/web/app"
)

// oaCompletionBody says in the document what a completion call holds.
type oaCompletionBody struct {
	Model            string             `json:"model"`
	Prompt           any                `json:"prompt"` // a text, ids, or a list of either
	MaxTokens        *int               `json:"max_tokens,omitempty"`
	Temperature      *float64           `json:"temperature,omitempty"`
	TopP             *float64           `json:"top_p,omitempty"`
	N                *int               `json:"n,omitempty"`
	BestOf           *int               `json:"best_of,omitempty"`
	Seed             *int64             `json:"seed,omitempty"`
	Stop             any                `json:"stop,omitempty"`
	Echo             *bool              `json:"echo,omitempty"`
	Logprobs         *int               `json:"logprobs,omitempty"`
	FrequencyPenalty *float64           `json:"frequency_penalty,omitempty"`
	PresencePenalty  *float64           `json:"presence_penalty,omitempty"`
	LogitBias        map[string]float64 `json:"logit_bias,omitempty"`
	Stream           *bool              `json:"stream,omitempty"`
	StreamOptions    any                `json:"stream_options,omitempty"`
	User             *string            `json:"user,omitempty"`
	Purpose          string             `json:"purpose,omitempty"`
	DataClass        string             `json:"data_class,omitempty"`
	Subject          string             `json:"subject,omitempty"`
	Explain          *explainBody       `json:"explain,omitempty"`
}

type oaCompletion struct {
	ID          string               `json:"id"`
	Object      string               `json:"object"`
	Created     int64                `json:"created"`
	Model       string               `json:"model"`
	Fingerprint string               `json:"system_fingerprint"`
	Choices     []oaCompletionChoice `json:"choices"`
	Usage       oaUsage              `json:"usage"`
	Vitrine     []*vitrineMember     `json:"vitrine"` // one a prompt
}

type oaCompletionChoice struct {
	Index        int         `json:"index"`
	Text         string      `json:"text"`
	Logprobs     *oaTextLogs `json:"logprobs"`
	FinishReason *string     `json:"finish_reason"`
}

// oaTextLogs are a text's tokens; the first one of an echoed prompt has no
// log-probability.
type oaTextLogs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []*float64           `json:"token_logprobs"`
	TopLogprobs   []map[string]float64 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"`
}

func init() {
	api(http.MethodPost, "/v1/completions", policy.Generate, Doc{
		Summary: "OpenAI: go on from texts or ids", Body: oaCompletionBody{}, Reply: oaCompletion{}, Large: true,
		Extra: []int{http.StatusNotFound, http.StatusConflict, http.StatusInsufficientStorage},
	}, func(c *Context) error { return oaCompletionCreate(c, "") })
}

// maxPrompts is how many prompts one call may hold; atOnce of them run at a time.
const (
	maxPrompts = 128
	atOnce     = 8
)

// completionCall is a completion call understood.
type completionCall struct {
	prompts  []app.GenerateRequest
	n        int
	echo     bool
	stream   bool
	usage    bool
	logprobs int // -1 = none asked for
}

func readCompletion(x *call, model string) (*completionCall, error) {
	q := &completionCall{logprobs: -1}
	r := app.GenerateRequest{Model: x.modelName(model)}
	x.take("echo", &q.echo)
	least := 1
	if q.echo {
		least = 0
	}
	x.limit(&r, least, "max_tokens")
	if r.MaxTokens == nil {
		sixteen := 16
		r.MaxTokens = &sixteen
	}
	x.sampling(&r)
	x.whole("best_of", &r.BestOf, 1, 16)
	x.governed(&r)
	x.whole("logprobs", &q.logprobs, 0, 20)
	x.streaming(&q.stream, &q.usage)
	suffix := ""
	x.take("suffix", &suffix)
	if suffix != "" {
		x.complain("suffix is not supported: the models here write from left to right", "leave it out")
	}
	if q.stream && r.BestOf > max(r.N, 1) {
		x.complain("best_of does not go with stream", "the best answer is known only at the end")
	}
	r.Alternatives = max(q.logprobs, 0)
	r.ScorePrompt = q.echo && q.logprobs >= 0 || *r.MaxTokens == 0
	q.n = max(r.N, 1)
	x.prompts(q, r)
	return q, x.err
}

// prompts takes a text, ids, or a list of either.
func (x *call) prompts(q *completionCall, r app.GenerateRequest) {
	const name = "prompt"
	x.used = append(x.used, name)
	raw := x.values[name]
	if texts, ok := textOrTexts(raw); x.has(name) && ok {
		for _, t := range texts {
			one := r
			one.Text = &t
			q.prompts = append(q.prompts, one)
		}
	} else if x.has(name) {
		var lists [][]int32
		var ids []int32
		if json.Unmarshal(raw, &ids) == nil {
			lists = [][]int32{ids}
		} else if json.Unmarshal(raw, &lists) != nil {
			x.complain("prompt must be a text, ids, or a list of either", "/tokenize gives the ids of a text")
		}
		for _, l := range lists {
			one := r
			if one.IDs = l; l == nil {
				one.IDs = []int32{}
			}
			q.prompts = append(q.prompts, one)
		}
	}
	if n := len(q.prompts); x.err == nil && (n == 0 || n > maxPrompts) {
		x.complain("a call holds 1 to 128 prompts", "send them in several calls")
	}
}

// oaCompletionCreate goes on from prompts; model is that of the address, "" = the body's.
func oaCompletionCreate(c *Context, model string) error {
	x, err := readCall(c)
	if err != nil {
		return err
	}
	q, err := readCompletion(x, model)
	if err != nil {
		return err
	}
	x.ignored()
	if q.stream {
		return completionStream(c, q)
	}
	views, err := c.generateAll(q.prompts)
	if err != nil {
		return err
	}
	first := views[0]
	c.receipt(first)
	out := oaCompletion{ID: "cmpl-" + first.ID, Object: "text_completion", Created: first.Time.Unix(), Model: first.Model.Name,
		Fingerprint: fingerprint(first.Model), Choices: []oaCompletionChoice{}}
	for _, v := range views {
		out.Usage.add(v)
		out.Vitrine = append(out.Vitrine, memberOf(v))
		answers := v.Output.Generated
		if len(answers) == 0 { // only the prompt was asked for
			answers = []app.GeneratedText{{Finish: app.FinishLength}}
		}
		for _, g := range answers {
			out.Choices = append(out.Choices, q.choice(len(out.Choices), v, &g))
		}
	}
	return c.JSON(http.StatusOK, out)
}

// generateAll answers prompts, several at a time, in their order. The first failure ends
// all.
func (c *Context) generateAll(list []app.GenerateRequest) ([]*app.PredictionView, error) {
	views, errs := make([]*app.PredictionView, len(list)), make([]error, len(list))
	var group sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, r := range list {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			views[i], errs[i] = c.App.Generate(c.Ctx(), c.Caller, r, app.Sink{})
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return views, nil
}

func (q *completionCall) choice(index int, v *app.PredictionView, g *app.GeneratedText) oaCompletionChoice {
	reason := finishReason(g.Finish)
	out := oaCompletionChoice{Index: index, Text: g.Text, FinishReason: &reason}
	prompt := v.Input.Text
	if q.logprobs >= 0 {
		out.Logprobs = newTextLogs()
		if q.echo {
			out.Logprobs.add(v.Output.Prompt, 0, q.logprobs, true)
		}
		out.Logprobs.add(g.Tokens, utf8.RuneCountInString(prompt), q.logprobs, false)
	}
	if q.echo {
		out.Text = prompt + g.Text
	}
	return out
}

func newTextLogs() *oaTextLogs {
	return &oaTextLogs{Tokens: []string{}, TokenLogprobs: []*float64{}, TopLogprobs: []map[string]float64{}, TextOffset: []int{}}
}

// add appends tokens whose text begins at a character; of an echoed prompt the first has
// no log-probability. The chosen token is among its own alternatives.
func (l *oaTextLogs) add(tokens []app.GeneratedToken, from, top int, prompt bool) {
	for i, t := range tokens {
		l.Tokens = append(l.Tokens, t.Text)
		l.TextOffset = append(l.TextOffset, from+t.Start)
		if prompt && i == 0 {
			l.TokenLogprobs, l.TopLogprobs = append(l.TokenLogprobs, nil), append(l.TopLogprobs, nil)
			continue
		}
		logprob := t.LogProb
		l.TokenLogprobs = append(l.TokenLogprobs, &logprob)
		m, own := map[string]float64{}, t.Text
		put := func(text string, x float64) {
			if old, ok := m[text]; !ok || x > old {
				m[text] = x
			}
		}
		for k, a := range t.Alternatives {
			if k < top {
				put(a.Text, a.LogProb)
			}
			if a.ID == t.ID {
				own = a.Text
			}
		}
		put(own, logprob)
		l.TopLogprobs = append(l.TopLogprobs, m)
	}
}

// completionStream goes on from each prompt after another.
func completionStream(c *Context, q *completionCall) error {
	s := &events{c: c}
	defer s.close()
	base := obj{"object": "text_completion"}
	chunk := func(choices ...oaCompletionChoice) error {
		if choices == nil {
			choices = []oaCompletionChoice{}
		}
		base["choices"] = choices
		return s.send(base)
	}
	var members []*vitrineMember
	var usage oaUsage
	for i, r := range q.prompts {
		shown := map[int]bool{} // answers whose prompt was echoed
		var begun app.Started
		v, err := c.App.Generate(c.Ctx(), c.Caller, r, app.Sink{
			Start: func(b app.Started) error {
				if begun = b; base["id"] == nil {
					c.started(b)
					base["id"], base["created"], base["model"], base["system_fingerprint"] = "cmpl-"+b.ID, created(b.ID), b.Model.Name, fingerprint(b.Model)
					if q.usage {
						base["usage"] = nil
					}
				}
				return nil
			},
			Piece: func(p app.Piece) error {
				one := oaCompletionChoice{Index: i*q.n + p.Answer, Text: p.Text}
				if p.Finish != "" {
					reason := finishReason(p.Finish)
					one.FinishReason = &reason
				}
				if q.logprobs >= 0 {
					one.Logprobs = newTextLogs()
				}
				if q.echo && !shown[p.Answer] {
					shown[p.Answer] = true
					one.Text = begun.PromptText + one.Text
					if q.logprobs >= 0 {
						one.Logprobs.add(begun.Prompt, 0, q.logprobs, true)
					}
				}
				if q.logprobs >= 0 {
					one.Logprobs.add(p.Tokens, utf8.RuneCountInString(begun.PromptText), q.logprobs, false)
				}
				return chunk(one)
			},
		})
		if err != nil {
			return s.fail(err)
		}
		members = append(members, memberOf(v))
		usage.add(v)
	}
	if q.usage {
		base["usage"] = usage
	}
	base["vitrine"] = members
	if err := chunk(); err != nil {
		return nil // the client went away after the answer was kept
	}
	_ = s.send("[DONE]")
	return nil
}

// started puts into the headers of a stream what is known before it begins.
func (c *Context) started(b app.Started) {
	c.receiptHeaders(b.ID, b.PolicyVersion, b.ReceiptURL)
}

// created is the time in the name of a prediction.
func created(id string) int64 {
	u, err := ulid.ParseStrict(strings.ToUpper(id))
	if err != nil {
		return 0
	}
	return u.Timestamp().Truncate(time.Second).Unix()
}
