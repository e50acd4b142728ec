package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"vitrine/inference"
	"vitrine/web/app"
)

// The routes of the OpenAI API, so that its clients work unchanged when pointed at
// this server's address with /v1. They walk the same one path as everything else.
// A field that is not acted on is named in the x-vitrine-ignored header.

// oaError is the error object that these clients read.
type oaError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// oaErrorOf puts a problem into these clients' terms.
func oaErrorOf(p Problem) *oaError {
	e := &oaError{Message: p.Detail, Type: "invalid_request_error", Code: &p.Code}
	if p.Hint != "" {
		e.Message += " (" + p.Hint + ")"
	}
	switch {
	case p.Status == http.StatusUnauthorized:
		e.Type = "authentication_error"
	case p.Status == http.StatusForbidden:
		e.Type = "permission_error"
	case p.Status == http.StatusNotFound:
		e.Type = "not_found_error"
	case p.Status == http.StatusTooManyRequests:
		e.Type = "rate_limit_error"
	case p.Status >= http.StatusInternalServerError:
		e.Type = "server_error"
	}
	return e
}

// isOpenAI: the routes whose errors these clients read.
func isOpenAI(path string) bool {
	return strings.HasPrefix(path, "/v1/") || path == "/tokenize" || path == "/detokenize" || path == "/tokenizer_info"
}

// vitrineMember is the member of that name: what a client that knows this server
// finds beside the protocol's own.
type vitrineMember struct {
	Prediction    string               `json:"prediction"`
	PolicyVersion int64                `json:"policy_version"`
	Receipt       app.ReceiptView      `json:"receipt"`
	Task          string               `json:"task"`
	Masked        int                  `json:"masked"` // findings of personal data that were replaced, in what was read and written
	Seed          *uint64              `json:"seed,omitempty"`
	Finish        []string             `json:"finish,omitempty"` // of each answer: eos, stop, length, cut
	Explanation   *app.ExplanationView `json:"explanation,omitempty"`
}

func memberOf(v *app.PredictionView) *vitrineMember {
	m := &vitrineMember{Prediction: v.ID, PolicyVersion: v.Decision.PolicyVersion, Receipt: v.Receipt, Task: v.Task,
		Masked: len(v.Input.Masked), Explanation: v.Explanation}
	for _, g := range v.Output.Generated {
		m.Masked += len(g.Masked)
		m.Finish = append(m.Finish, g.Finish)
	}
	if s := v.Output.Sampling; s != nil && s.Temperature > 0 {
		m.Seed = &s.Seed
	}
	return m
}

// oaUsage counts tokens.
type oaUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

func (u *oaUsage) add(v *app.PredictionView) {
	s := v.Output.Sampling
	u.PromptTokens += s.PromptTokens
	u.CompletionTokens += s.Written
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
}

// call is one call of these protocols: its fields, read one by one.
type call struct {
	hfParams
	c *Context
}

// readCall takes the JSON object of a call apart.
func readCall(c *Context) (*call, error) {
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, err
	}
	if err := readText(raw); err != nil {
		return nil, err
	}
	x := &call{c: c}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&x.values); err != nil || x.values == nil {
		if err == nil {
			return nil, invalid("the body must be a JSON object", "see /api/openapi.json")
		}
		return nil, badBody(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("the body holds more than one JSON value", "send exactly one")
	}
	return x, nil
}

// has says whether a field is there with a value.
func (x *call) has(name string) bool {
	raw, ok := x.values[name]
	return ok && string(raw) != "null"
}

// number takes a number within a range; absent leaves v.
func (x *call) number(name string, v *float64, low, high float64) {
	x.take(name, v)
	if x.has(name) && !(*v >= low && *v <= high) {
		x.complain(fmt.Sprintf("%s is %g, expected %g to %g", name, *v, low, high), "send a value in that range")
	}
}

// whole takes an integer within a range; absent leaves v.
func (x *call) whole(name string, v *int, low, high int) {
	f := float64(*v)
	x.number(name, &f, float64(low), float64(high))
	if f != math.Trunc(f) {
		x.complain(fmt.Sprintf("%s is %g, expected a whole number", name, f), "leave out the fraction")
		return
	}
	if x.err == nil {
		*v = int(f)
	}
}

// limit takes the first of the fields that bound an answer.
func (x *call) limit(r *app.GenerateRequest, low int, names ...string) {
	for _, name := range names {
		n := 0
		x.whole(name, &n, low, 1<<24)
		if x.has(name) && r.MaxTokens == nil {
			r.MaxTokens = &n
		}
	}
}

// stops takes a text or a list of texts that end an answer.
func (x *call) stops(name string) (list []string) {
	if one := ""; x.has(name) && json.Unmarshal(x.values[name], &one) == nil {
		x.used = append(x.used, name)
		return []string{one}
	}
	x.take(name, &list)
	return list
}

// sampling takes what these protocols say of how tokens are chosen.
func (x *call) sampling(r *app.GenerateRequest) {
	r.Temperature = 1
	x.number("temperature", &r.Temperature, 0, 2)
	x.number("top_p", &r.TopP, 0, 1)
	if r.TopP == 1 {
		r.TopP = 0
	}
	x.number("frequency_penalty", &r.Frequency, -2, 2)
	x.number("presence_penalty", &r.Presence, -2, 2)
	x.number("repetition_penalty", &r.Repetition, 0.01, 100) // of other servers of this protocol
	x.number("min_p", &r.MinP, 0, 1)
	x.whole("top_k", &r.TopK, -1, 1<<30)
	r.TopK = max(r.TopK, 0)
	x.whole("n", &r.N, 1, 16)
	x.seed(r)
	x.bias(r)
	r.Stop = x.stops("stop")
	r.Format = x.format("response_format")
}

// seed takes a whole number; a negative one is as good as another.
func (x *call) seed(r *app.GenerateRequest) {
	const name = "seed"
	x.used = append(x.used, name)
	if !x.has(name) {
		return
	}
	var n json.Number
	if err := json.Unmarshal(x.values[name], &n); err != nil || x.values[name][0] == '"' || !wholeNumber(n) {
		x.complain("seed must be a whole number", "send one such as 42, or leave it out")
		return
	}
	f, err := n.Float64()
	if err != nil || math.Abs(f) >= 1<<53 {
		x.complain("seed has more than 53 bits", "send a smaller one")
		return
	}
	seed := uint64(int64(f)) & (1<<53 - 1)
	r.Seed = &seed
}

// bias takes a map of token ids.
func (x *call) bias(r *app.GenerateRequest) {
	var named map[string]float64
	x.take("logit_bias", &named)
	for name, b := range named {
		var id int32
		if err := json.Unmarshal([]byte(name), &id); err != nil || id < 0 {
			x.complain("logit_bias has a key that is no token id", "/tokenize gives the ids of a text")
			return
		}
		if r.Bias == nil {
			r.Bias = map[int32]float64{}
		}
		r.Bias[id] = b
	}
}

// format takes what the answer must be, in the dialects that clients send.
func (x *call) format(name string) *app.FormatRequest {
	var raw json.RawMessage
	x.take(name, &raw)
	f, err := app.ReadFormat(raw)
	if err != nil {
		x.complain(err.Error(), app.Hint(err))
	}
	return f
}

// governed takes what the policy needs to know, and an explanation that is asked for.
func (x *call) governed(r *app.GenerateRequest) {
	p := app.PredictRequest{}
	x.govern(x.c.Request().Header, &p)
	if p.Subject == "" { // the person at the client's end
		x.take("user", &p.Subject)
	}
	if p.Subject == "" {
		x.take("safety_identifier", &p.Subject)
	}
	if len(p.Subject) > 200 {
		x.complain("the subject has more than 200 bytes", "send a short stable name")
	}
	r.Purpose, r.DataClass, r.Subject, r.RequestID = p.Purpose, p.DataClass, p.Subject, x.c.RequestID
	var e *explainBody
	x.take("explain", &e)
	if e != nil {
		q := e.request(x.c)
		r.Explain = &q
	}
}

// noTools refuses tools, which nothing here would hold an answer to, unless the call
// says itself that none are used.
func (x *call) noTools() {
	var choice any
	var tools []json.RawMessage
	if x.has("tool_choice") {
		_ = json.Unmarshal(x.values["tool_choice"], &choice)
	}
	if x.has("tools") && json.Unmarshal(x.values["tools"], &tools) != nil {
		x.complain("tools must be a list", "leave it out")
	}
	if x.has("functions") || len(tools) > 0 && choice != "none" || len(tools) == 0 && choice != nil && choice != "none" && choice != "auto" {
		x.complain("calls of tools are not enforced here, so they are not pretended", "leave out tools, or send tool_choice none; response_format makes answers follow a schema")
	}
}

// ignored names the fields that were not acted on.
func (x *call) ignored() {
	if rest := x.unknown(); len(rest) > 0 {
		x.c.Response().Header().Set("X-Vitrine-Ignored", strings.Join(rest, ", "))
	}
}

// modelName takes the model: that of the address, or the body's.
func (x *call) modelName(address string) string {
	name := ""
	x.take("model", &name)
	if address != "" {
		return address
	}
	if name == "" && x.err == nil {
		x.complain("the body has no model", "GET /v1/models lists them")
	}
	return name
}

// fingerprint names weights and engine, on which the bits of an answer depend.
func fingerprint(m app.ModelRef) string {
	return "fp_" + m.Digest[:min(12, len(m.Digest))] + "_" + inference.EngineVersion()
}

// finishReason is how an answer ended in these protocols' words.
func finishReason(finish string) string {
	if finish == app.FinishEOS || finish == app.FinishStop {
		return "stop"
	}
	return "length"
}

// oaLogprob is one token of a chat answer.
type oaLogprob struct {
	Token       string      `json:"token"`
	Logprob     float64     `json:"logprob"`
	Bytes       []int       `json:"bytes"`
	TopLogprobs []oaLogprob `json:"top_logprobs,omitzero"` // a token's own; nil of alternatives, which have none
}

// oaLogprobs is the member logprobs of a chat answer.
type oaLogprobs struct {
	Content []oaLogprob `json:"content"`
	Refusal *string     `json:"refusal"`
}

func bytesOf(s string) []int {
	out := make([]int, len(s))
	for i := range len(s) {
		out[i] = int(s[i])
	}
	return out
}

// chatLogprobs are tokens with their top alternatives; what ends an answer is no part of
// it.
func chatLogprobs(tokens []app.GeneratedToken, top int) *oaLogprobs {
	out := &oaLogprobs{Content: []oaLogprob{}}
	for _, t := range tokens {
		if t.Special && t.Text == "" {
			continue
		}
		l := oaLogprob{Token: t.Text, Logprob: t.LogProb, Bytes: bytesOf(t.Text), TopLogprobs: []oaLogprob{}}
		for _, a := range t.Alternatives[:min(top, len(t.Alternatives))] {
			l.TopLogprobs = append(l.TopLogprobs, oaLogprob{Token: a.Text, Logprob: a.LogProb, Bytes: bytesOf(a.Text)})
		}
		out.Content = append(out.Content, l)
	}
	return out
}

// base64Floats is a vector as these clients ask for it: little-endian float32.
func base64Floats(v []float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b := math.Float32bits(x)
		raw = append(raw, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// textOrTexts reads one text or several.
func textOrTexts(raw json.RawMessage) ([]string, bool) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, true
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many, true
	}
	return nil, false
}
