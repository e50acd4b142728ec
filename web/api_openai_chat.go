package web

import (
	"encoding/json"
	"net/http"
	"strings"

	"vitrine/inference"
	"vitrine/policy"
	"vitrine/web/app"
)

// oaChatBody says in the document what a chat call holds; fields that clients send
// beside these are named in x-vitrine-ignored.
type oaChatBody struct {
	Model               string             `json:"model"`
	Messages            []oaMessage        `json:"messages"`
	MaxCompletionTokens *int               `json:"max_completion_tokens,omitempty"`
	MaxTokens           *int               `json:"max_tokens,omitempty"`
	Temperature         *float64           `json:"temperature,omitempty"`
	TopP                *float64           `json:"top_p,omitempty"`
	N                   *int               `json:"n,omitempty"`
	Seed                *int64             `json:"seed,omitempty"`
	Stop                any                `json:"stop,omitempty"` // a text or several
	FrequencyPenalty    *float64           `json:"frequency_penalty,omitempty"`
	PresencePenalty     *float64           `json:"presence_penalty,omitempty"`
	LogitBias           map[string]float64 `json:"logit_bias,omitempty"`
	Logprobs            *bool              `json:"logprobs,omitempty"`
	TopLogprobs         *int               `json:"top_logprobs,omitempty"`
	ResponseFormat      any                `json:"response_format,omitempty"`
	Stream              *bool              `json:"stream,omitempty"`
	StreamOptions       any                `json:"stream_options,omitempty"`
	User                *string            `json:"user,omitempty"`
	Purpose             string             `json:"purpose,omitempty"`
	DataClass           string             `json:"data_class,omitempty"`
	Subject             string             `json:"subject,omitempty"`
	Explain             *explainBody       `json:"explain,omitempty"`
}

type oaMessage struct {
	Role    string `json:"role"`
	Content any    `json:"content"` // a text, or a list of parts of type text
}

type oaChat struct {
	ID          string         `json:"id"`
	Object      string         `json:"object"`
	Created     int64          `json:"created"`
	Model       string         `json:"model"`
	Fingerprint string         `json:"system_fingerprint"`
	Choices     []oaChatChoice `json:"choices"`
	Usage       oaUsage        `json:"usage"`
	Vitrine     *vitrineMember `json:"vitrine"`
}

type oaChatChoice struct {
	Index        int           `json:"index"`
	Message      oaChatMessage `json:"message"`
	Logprobs     *oaLogprobs   `json:"logprobs"`
	FinishReason string        `json:"finish_reason"`
}

type oaChatMessage struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"`
}

func init() {
	api(http.MethodPost, "/v1/chat/completions", policy.Generate, Doc{
		Summary: "OpenAI: answer a conversation, at once or as a stream", Body: oaChatBody{}, Reply: oaChat{}, Large: true,
		Extra: []int{http.StatusNotFound, http.StatusConflict, http.StatusInsufficientStorage},
	}, func(c *Context) error { return oaChatCreate(c, "") })
}

// chatCall is a chat call understood.
type chatCall struct {
	r        app.GenerateRequest
	stream   bool
	usage    bool
	logprobs bool
	top      int
}

func readChat(x *call, model string) (*chatCall, error) {
	q := &chatCall{r: app.GenerateRequest{Model: x.modelName(model)}}
	q.r.Messages = x.messages()
	x.limit(&q.r, 1, "max_completion_tokens", "max_tokens")
	x.sampling(&q.r)
	x.governed(&q.r)
	x.noTools()
	x.take("logprobs", &q.logprobs)
	x.whole("top_logprobs", &q.top, 0, 20)
	if q.top > 0 && !q.logprobs {
		x.complain("top_logprobs needs logprobs", "send logprobs true too")
	}
	q.r.Alternatives = q.top
	x.streaming(&q.stream, &q.usage)
	return q, x.err
}

// streaming takes stream and its options.
func (x *call) streaming(stream, usage *bool) {
	x.take("stream", stream)
	var o *struct {
		Usage bool `json:"include_usage"`
	}
	x.take("stream_options", &o)
	if o != nil && !*stream {
		x.complain("stream_options needs stream", "send stream true too")
	}
	*usage = o != nil && o.Usage
}

// messages takes a conversation: contents are texts, or lists of parts that are texts.
func (x *call) messages() []inference.Message {
	var list []map[string]json.RawMessage
	x.take("messages", &list)
	if len(list) == 0 {
		x.complain("the conversation is empty", "send messages with at least one of role user")
	}
	out := []inference.Message{}
	for _, m := range list {
		one := inference.Message{}
		if json.Unmarshal(m["role"], &one.Role) != nil {
			x.complain("a message has no role", "use system, user or assistant")
		}
		switch one.Role {
		case "developer":
			one.Role = "system" // the name that templates know
		case "system", "user", "assistant", "tool":
		default:
			x.complain("a message has an unknown role", "use system, developer, user, assistant or tool")
		}
		for _, field := range []string{"tool_calls", "function_call", "audio"} {
			if raw, ok := m[field]; ok && string(raw) != "null" && string(raw) != "[]" {
				x.complain("a message holds "+field+", which the model's template is not given", "write what it says into the content")
			}
		}
		one.Content = x.content(m["content"])
		out = append(out, one)
	}
	return out
}

func (x *call) content(raw json.RawMessage) string {
	var text string
	if len(raw) == 0 || json.Unmarshal(raw, &text) == nil {
		return text
	}
	var parts []struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		x.complain("the content of a message must be a text or a list of parts", `send "content": "…"`)
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" || p.Text == nil {
			x.complain("a message holds a part that is no text; the models of this route read text", "send parts of type text only")
			continue
		}
		b.WriteString(*p.Text)
	}
	return b.String()
}

// oaChatCreate answers a conversation; model is that of the address, "" = the body's.
func oaChatCreate(c *Context, model string) error {
	x, err := readCall(c)
	if err != nil {
		return err
	}
	q, err := readChat(x, model)
	if err != nil {
		return err
	}
	x.ignored()
	if q.stream {
		return chatStream(c, q)
	}
	v, err := c.App.Generate(c.Ctx(), c.Caller, q.r, app.Sink{})
	if err != nil {
		return err
	}
	c.receipt(v)
	out := oaChat{ID: "chatcmpl-" + v.ID, Object: "chat.completion", Created: v.Time.Unix(), Model: v.Model.Name, Fingerprint: fingerprint(v.Model),
		Choices: []oaChatChoice{}, Vitrine: memberOf(v)}
	out.Usage.add(v)
	for i, g := range v.Output.Generated {
		choice := oaChatChoice{Index: i, Message: oaChatMessage{Role: "assistant", Content: g.Text}, FinishReason: finishReason(g.Finish)}
		if q.logprobs {
			choice.Logprobs = chatLogprobs(g.Tokens, q.top)
		}
		out.Choices = append(out.Choices, choice)
	}
	return c.JSON(http.StatusOK, out)
}

// oaDelta is what a chunk adds to an answer.
type oaDelta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type oaChunkChoice struct {
	Index        int         `json:"index"`
	Delta        oaDelta     `json:"delta"`
	Logprobs     *oaLogprobs `json:"logprobs"`
	FinishReason *string     `json:"finish_reason"`
}

// chatStream answers with chunks: the role, then pieces, then why it ended, and in a last
// one without choices the usage, where it was asked for, and the receipt.
func chatStream(c *Context, q *chatCall) error {
	s := &events{c: c}
	defer s.close()
	base := obj{"object": "chat.completion.chunk"}
	chunk := func(choices ...oaChunkChoice) error {
		if choices == nil {
			choices = []oaChunkChoice{}
		}
		base["choices"] = choices
		return s.send(base)
	}
	v, err := c.App.Generate(c.Ctx(), c.Caller, q.r, app.Sink{
		Start: func(b app.Started) error {
			c.started(b)
			base["id"], base["created"], base["model"], base["system_fingerprint"] = "chatcmpl-"+b.ID, created(b.ID), b.Model.Name, fingerprint(b.Model)
			if q.usage {
				base["usage"] = nil
			}
			none := ""
			for i := range max(q.r.N, 1) {
				if err := chunk(oaChunkChoice{Index: i, Delta: oaDelta{Role: "assistant", Content: &none}}); err != nil {
					return err
				}
			}
			return nil
		},
		Piece: func(p app.Piece) error {
			if p.Text != "" || len(p.Tokens) > 0 {
				one := oaChunkChoice{Index: p.Answer, Delta: oaDelta{Content: &p.Text}}
				if q.logprobs {
					one.Logprobs = chatLogprobs(p.Tokens, q.top)
				}
				if err := chunk(one); err != nil {
					return err
				}
			}
			if p.Finish == "" {
				return nil
			}
			reason := finishReason(p.Finish)
			return chunk(oaChunkChoice{Index: p.Answer, FinishReason: &reason})
		},
	})
	if err != nil {
		return s.fail(err)
	}
	if q.usage {
		var u oaUsage
		u.add(v)
		base["usage"] = u
	}
	base["vitrine"] = memberOf(v)
	if err := chunk(); err != nil {
		return nil // the client went away after the answer was kept
	}
	_ = s.send("[DONE]")
	return nil
}
