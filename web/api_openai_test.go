package web

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/inference/conformance/chain"
	"vitrine/policy"
	"vitrine/web/app"
)

// storyTold is the story as the shipped policy lets it out.
var storyTold = strings.NewReplacer("joe@example.com", "[EMAIL]", "+49 30 901820", "[PHONE]").Replace(chain.Story)

// writer is a fresh installation with a model named chain, behind an address.
type writer struct {
	app *app.App
	url string
	key string // of an analyst
}

func startWriter(t *testing.T) *writer {
	t.Helper()
	ctx := context.Background()
	a, err := app.New(ctx, app.Config{Data: t.TempDir(), OneShot: true})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "chain")
	if err := chain.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddModel(ctx, a.Local(), dir, "chain", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddModel(ctx, a.Local(), "../inference/conformance/testdata/golden/family/sentence-embedding", "embedder", ""); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{App: a})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	w := &writer{app: a, url: srv.URL}
	w.key = w.addKey(t, policy.Analyst)
	return w
}

func (w *writer) addKey(t *testing.T, role string) string {
	t.Helper()
	k, err := w.app.AddKey(context.Background(), w.app.Local(), "A "+role, []string{role}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return k.Key
}

func (w *writer) client(t *testing.T) *client { return &client{t: t, url: w.url, key: w.key} }

// count is how many log entries there are of a kind.
func (w *writer) count(t *testing.T, kind string) int64 {
	t.Helper()
	if err := w.app.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	list, err := w.app.AuditEvents(context.Background(), w.app.Local(), app.EventQuery{Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return list.Total
}

// chunks are the events of a stream; the last word is checked.
func chunks(t *testing.T, body []byte) (list []map[string]any) {
	t.Helper()
	done := false
	for s := bufio.NewScanner(strings.NewReader(string(body))); s.Scan(); {
		data, ok := strings.CutPrefix(s.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			done = true
			continue
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(data), &v); err != nil || done {
			t.Fatalf("%v: %s", err, data)
		}
		list = append(list, v)
	}
	if !done {
		t.Errorf("the stream has no end: %s", body)
	}
	return list
}

var say = []obj{{"role": "user", "content": "Say it."}}

func TestChatCompletion(t *testing.T) {
	w := startWriter(t)
	c := w.client(t)
	a := c.call(http.MethodPost, "/v1/chat/completions", obj{"model": "chain", "messages": say, "temperature": 0, "logprobs": true, "top_logprobs": 2, "store": true, "stop": nil})
	var v oaChat
	if a.into(t, &v); a.status != http.StatusOK || len(v.Choices) != 1 {
		t.Fatalf("status %d %s", a.status, a.body)
	}
	one := v.Choices[0]
	text := ""
	for _, l := range one.Logprobs.Content {
		text += l.Token
		if l.Logprob > 0 {
			t.Errorf("%+v", l)
		}
	}
	if one.Message.Content != storyTold || one.FinishReason != "stop" || text != storyTold || v.Object != "chat.completion" ||
		v.Usage.TotalTokens != v.Usage.PromptTokens+v.Usage.CompletionTokens || v.Usage.CompletionTokens == 0 {
		t.Errorf("%q %q %+v", one.Message.Content, text, v)
	}
	if got := a.header.Get("X-Vitrine-Ignored"); got != "store" {
		t.Errorf("ignored: %q", got)
	}
	if v.Vitrine.Prediction == "" || v.Vitrine.Receipt.URL != a.header.Get("X-Vitrine-Receipt") || v.Vitrine.Masked != 2 || a.header.Get("X-Vitrine-Prediction") != v.Vitrine.Prediction {
		t.Errorf("%+v %v", v.Vitrine, a.header)
	}
	if strings.Contains(string(a.body), `"logprobs":null`) || !strings.Contains(string(a.body), `"refusal":null`) {
		t.Errorf("%s", a.body)
	}
	// As a stream: the same text, the usage and the receipt in the last chunk.
	a = c.call(http.MethodPost, "/v1/chat/completions", obj{"model": "chain", "messages": say, "temperature": 0, "stream": true, "n": 2, "stream_options": obj{"include_usage": true}})
	texts, reasons := map[float64]string{}, 0
	list := chunks(t, a.body)
	for i, ch := range list {
		if ch["id"] != list[0]["id"] || ch["object"] != "chat.completion.chunk" || ch["created"] != list[0]["created"] {
			t.Fatalf("%+v", ch)
		}
		if u, ok := ch["usage"]; !ok || (u != nil) != (i == len(list)-1) {
			t.Errorf("usage of chunk %d of %d: %v", i, len(list), u)
		}
		for _, choice := range ch["choices"].([]any) {
			m := choice.(map[string]any)
			if s, ok := m["delta"].(map[string]any)["content"].(string); ok {
				texts[m["index"].(float64)] += s
			}
			if m["finish_reason"] != nil {
				reasons++
			}
		}
	}
	if texts[0] != storyTold || texts[1] != storyTold || reasons != 2 || list[len(list)-1]["vitrine"] == nil || a.header.Get("X-Vitrine-Receipt") == "" {
		t.Errorf("%v, %d ended: %v", texts, reasons, list[len(list)-1])
	}
	// The content may be parts; null is absent; the address may name the model.
	parts := []obj{{"role": "developer", "content": []obj{{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}}}, {"role": "user", "content": "Hi"}}
	a = c.call(http.MethodPost, "/hf/models/chain/v1/chat/completions", obj{"model": "dummy", "messages": parts, "max_completion_tokens": 3, "seed": nil, "tools": []any{}})
	if a.into(t, &v); a.status != http.StatusOK || v.Choices[0].FinishReason != "length" || v.Usage.CompletionTokens != 3 {
		t.Errorf("status %d %s", a.status, a.body)
	}
	// An explanation of the answer in the same call.
	a = c.call(http.MethodPost, "/v1/chat/completions", obj{"model": "chain", "messages": say, "max_tokens": 3, "temperature": 0, "explain": obj{"method": "input-x-gradient"}})
	if a.into(t, &v); a.status != http.StatusOK || v.Vitrine.Explanation == nil || v.Vitrine.Explanation.Method != "input-x-gradient" {
		t.Errorf("status %d %.400s", a.status, a.body)
	}
}

// TestGenerationRefusals: in this protocol's shape, each with a code.
func TestGenerationRefusals(t *testing.T) {
	w := startWriter(t)
	c := w.client(t)
	chat := func(more obj) obj {
		b := obj{"model": "chain", "messages": say, "temperature": 0}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	for _, x := range []struct {
		path   string
		body   any
		status int
		code   string
	}{
		{"/v1/chat/completions", chat(obj{"model": "nobody"}), 404, "model_not_found"},
		{"/v1/chat/completions", chat(obj{"seed": "one"}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"seed": 1.5}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"seed": true}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"temperature": 3}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"temperature": "hot"}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"n": 0}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"top_logprobs": 2}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"stream_options": obj{"include_usage": true}}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"messages": []obj{}}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"messages": []obj{{"role": "wizard", "content": "x"}}}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"messages": []obj{{"role": "user", "content": []obj{{"type": "image_url", "image_url": obj{"url": "http://169.254.169.254/"}}}}}}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"messages": []obj{{"role": "user", "content": chain.TurnEnd}}}), 400, "input_invalid"},
		{"/v1/chat/completions", chat(obj{"tools": []obj{{"type": "function", "function": obj{"name": "f"}}}}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"max_tokens": 100000}), 400, "context_length_exceeded"},
		{"/v1/chat/completions", chat(obj{"messages": []obj{{"role": "user", "content": strings.Repeat("long ", 200)}}}), 400, "context_length_exceeded"},
		{"/v1/chat/completions", chat(obj{"response_format": obj{"type": "haiku"}}), 400, "invalid_request"},
		{"/v1/chat/completions", chat(obj{"response_format": obj{"type": "json_schema", "json_schema": obj{"name": "x", "schema": obj{"type": "nonsense"}}}}), 400, "input_invalid"},
		{"/v1/chat/completions", chat(obj{"purpose": "world-domination"}), 400, "purpose_not_found"},
		{"/v1/chat/completions", "[]", 400, "invalid_request"},
		{"/v1/chat/completions", "{\"model\": \"\xff\"}", 400, "invalid_request"},
		{"/v1/completions", obj{"model": "chain", "prompt": "x", "suffix": "y"}, 400, "invalid_request"},
		{"/v1/completions", obj{"model": "chain", "prompt": []any{1, "a"}}, 400, "invalid_request"},
		{"/v1/completions", obj{"model": "chain", "prompt": []any{}}, 400, "invalid_request"},
		{"/v1/completions", obj{"model": "chain", "prompt": []int{1 << 20}}, 400, "input_invalid"},
		{"/v1/completions", obj{"model": "chain", "prompt": []int{-1}}, 400, "input_invalid"},
		{"/v1/completions", obj{"model": "chain", "prompt": "x", "logprobs": 21}, 400, "invalid_request"},
		{"/v1/completions", obj{"model": "chain", "prompt": "x", "stop": []any{1}}, 400, "invalid_request"},
		{"/v1/completions", obj{"model": "sentiment-minilm", "prompt": "x"}, 400, "input_invalid"},
		{"/v1/embeddings", obj{"model": "sentiment-minilm", "input": "x"}, 400, "input_invalid"},
		{"/v1/embeddings", obj{"model": "chain", "input": []int{1, 2}}, 400, "invalid_request"},
		{"/tokenize", obj{"model": "chain"}, 400, "invalid_request"},
	} {
		a := c.call(http.MethodPost, x.path, x.body)
		var p Problem
		a.into(t, &p)
		if a.status != x.status || p.Code != x.code || p.Error == nil || p.Error.Message == "" || p.Error.Code == nil || *p.Error.Code != x.code {
			t.Errorf("%v: status %d %s", x.body, a.status, a.body)
		}
	}
	if n := w.count(t, "PREDICTION.MADE.OK"); n != 0 {
		t.Errorf("%d predictions were kept of requests that failed", n)
	}
	c.key = w.addKey(t, policy.Auditor)
	for range 3 {
		a := c.call(http.MethodPost, "/v1/chat/completions", chat(nil))
		var p Problem
		if a.into(t, &p); a.status != http.StatusForbidden || p.Error == nil || *p.Error.Code != "policy_denied" || a.header.Get("X-Should-Retry") != "false" {
			t.Errorf("status %d %s", a.status, a.body)
		}
	}
	if n := w.count(t, "PREDICTION.MADE.DENIED"); n != 1 {
		t.Errorf("a refusal that is asked for three times is recorded %d times", n)
	}
	c.key = "wrong"
	if a := c.call(http.MethodGet, "/v1/models", nil); a.status != http.StatusUnauthorized || !strings.Contains(string(a.body), `"authentication_error"`) {
		t.Errorf("status %d %s", a.status, a.body)
	}
}

// TestCompletion: what lm-eval sends and reads, echo and several answers.
func TestCompletion(t *testing.T) {
	w := startWriter(t)
	c := w.client(t)
	var ids tokenized
	c.call(http.MethodPost, "/tokenize", obj{"prompt": "The cat sat:"}).into(t, &ids)
	if ids.Count != 12 || ids.MaxModelLen != chain.Context {
		t.Fatalf("%+v", ids)
	}
	var back detokenized
	if c.call(http.MethodPost, "/detokenize", obj{"tokens": ids.Tokens}).into(t, &back); back.Prompt != "The cat sat:" {
		t.Errorf("%q", back.Prompt)
	}
	var info tokenizerInfo
	if c.call(http.MethodGet, "/tokenizer_info", nil).into(t, &info); info.EOS == nil || *info.EOS != chain.TurnEnd || info.ChatTemplate == nil {
		t.Errorf("%+v", info)
	}
	a := c.call(http.MethodPost, "/v1/completions", obj{"model": "chain", "prompt": [][]int32{ids.Tokens, ids.Tokens[:4]}, "max_tokens": 1, "logprobs": 1, "echo": true, "temperature": 0, "seed": 1234})
	var v oaCompletion
	if a.into(t, &v); a.status != http.StatusOK || len(v.Choices) != 2 || len(v.Vitrine) != 2 {
		t.Fatalf("status %d %s", a.status, a.body)
	}
	for i, n := range []int{12, 4} {
		l := v.Choices[i].Logprobs
		if len(l.Tokens) != n+1 || len(l.TokenLogprobs) != n+1 || len(l.TopLogprobs) != n+1 || len(l.TextOffset) != n+1 || l.TokenLogprobs[0] != nil || l.TopLogprobs[0] != nil {
			t.Fatalf("%+v", l)
		}
		for j := 1; j <= n; j++ {
			if l.TokenLogprobs[j] == nil || len(l.TopLogprobs[j]) == 0 || *l.TokenLogprobs[j] > 0 {
				t.Errorf("token %d: %+v", j, l)
			}
		}
		top := math.Inf(-1)
		for _, x := range l.TopLogprobs[n] {
			top = max(top, x)
		}
		if i == 0 && *l.TokenLogprobs[n] != top { // greedy is tested by equality
			t.Errorf("%v and %v", *l.TokenLogprobs[n], top)
		}
		if strings.Join(l.Tokens, "") != v.Choices[i].Text || l.TextOffset[n] != n {
			t.Errorf("%q %+v", v.Choices[i].Text, l)
		}
	}
	// A prompt that ends with the last word: one token, although it ends the text.
	var end tokenized
	c.call(http.MethodPost, "/tokenize", obj{"prompt": "x", "add_special_tokens": false}).into(t, &end)
	bias := obj{"2": 100}
	c.call(http.MethodPost, "/v1/completions", obj{"model": "chain", "prompt": [][]int32{end.Tokens}, "max_tokens": 1, "logprobs": 1, "echo": true, "temperature": 0, "logit_bias": bias}).into(t, &v)
	if l := v.Choices[0].Logprobs; len(l.Tokens) != 2 || v.Choices[0].FinishReason == nil || *v.Choices[0].FinishReason != "stop" {
		t.Errorf("%+v", l)
	}
	a = c.call(http.MethodPost, "/v1/completions", obj{"model": "chain", "prompt": []string{"One:", "Two:"}, "n": 2, "temperature": 0, "stop": " there", "max_tokens": 20})
	if a.into(t, &v); len(v.Choices) != 4 || v.Choices[3].Index != 3 || v.Choices[3].Text != " Hello 😀" {
		t.Errorf("status %d %s", a.status, a.body)
	}
	a = c.call(http.MethodPost, "/v1/completions", obj{"model": "chain", "prompt": []string{"One:", "Two:"}, "echo": true, "stream": true, "temperature": 0, "max_tokens": 40})
	texts := map[float64]string{}
	for _, ch := range chunks(t, a.body) {
		for _, choice := range ch["choices"].([]any) {
			m := choice.(map[string]any)
			texts[m["index"].(float64)] += m["text"].(string)
		}
	}
	if texts[0] != "One:"+storyTold || texts[1] != "Two:"+storyTold {
		t.Errorf("%v", texts)
	}
	a = c.call(http.MethodPost, "/v1/completions", obj{"model": "chain", "prompt": "Score", "echo": true, "max_tokens": 0, "logprobs": 0})
	if a.into(t, &v); a.status != http.StatusOK || len(v.Choices[0].Logprobs.Tokens) != 5 || len(v.Choices[0].Logprobs.TopLogprobs[1]) != 1 {
		t.Errorf("status %d %s", a.status, a.body)
	}
}

// TestHuggingFaceGeneration replays what InferenceClient.text_generation sends.
func TestHuggingFaceGeneration(t *testing.T) {
	c := startWriter(t).client(t)
	a := c.call(http.MethodPost, "/hf/models/chain", obj{"inputs": "Go:", "parameters": obj{"max_new_tokens": 30, "details": true, "decoder_input_details": true, "return_full_text": true, "top_n_tokens": 2}, "stream": false})
	var list []struct {
		Text    string    `json:"generated_text"`
		Details hfDetails `json:"details"`
	}
	if a.into(t, &list); a.status != http.StatusOK || list[0].Text != "Go:"+storyTold || list[0].Details.FinishReason != "eos_token" || len(list[0].Details.Prefill) != 3 || len(list[0].Details.TopTokens) != list[0].Details.GeneratedTokens {
		t.Errorf("status %d %s", a.status, a.body)
	}
	a = c.call(http.MethodPost, "/hf/models/chain", obj{"inputs": "Go:", "parameters": obj{"max_new_tokens": 4, "stop": []string{"there"}}, "stream": true})
	text, last := "", map[string]any{}
	for s := bufio.NewScanner(strings.NewReader(string(a.body))); s.Scan(); {
		if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
			last = map[string]any{}
			if err := json.Unmarshal([]byte(data), &last); err != nil {
				t.Fatal(err)
			}
			text += last["token"].(map[string]any)["text"].(string)
		}
	}
	if last["generated_text"] != text || !strings.HasPrefix(text, " Hello") || last["details"].(map[string]any)["finish_reason"] != "length" {
		t.Errorf("%q %s", text, a.body)
	}
}

// TestDisconnect: a client that goes away stops the writing within 100 ms, and the log has
// the prediction.
func TestDisconnect(t *testing.T) {
	w := startWriter(t)
	ctx, leave := context.WithCancel(context.Background())
	body := `{"model":"chain","messages":[{"role":"user","content":"x"}],"temperature":2,"stream":true,"max_tokens":200,"logit_bias":{"0":-100,"2":-100}}`
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+w.key)
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	leave()
	res.Body.Close()
	id := res.Header.Get("X-Vitrine-Prediction")
	var v *app.PredictionView
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if v, err = w.app.Prediction(context.Background(), w.app.Local(), id); err == nil {
			break
		}
	}
	if err != nil || len(v.Output.Generated) != 1 {
		t.Fatalf("%v %+v", err, v)
	}
	if g := v.Output.Generated[0]; g.Finish != app.FinishCut || len(g.Tokens) >= 200 {
		t.Errorf("ended by %s after %d tokens", g.Finish, len(g.Tokens))
	}
}

// TestStreamsShareSteps: many at once, each with the text that it has alone.
func TestStreamsShareSteps(t *testing.T) {
	w := startWriter(t)
	var group sync.WaitGroup
	texts := make([]string, 8)
	ask := func(seed int) string {
		a := w.client(t).call(http.MethodPost, "/v1/completions", obj{"model": "chain", "prompt": "Go:", "temperature": 2, "seed": seed, "max_tokens": 24, "logit_bias": obj{"0": -100, "2": -100}})
		var v oaCompletion
		a.into(t, &v)
		return v.Choices[0].Text
	}
	for i := range texts {
		group.Go(func() { texts[i] = ask(i) })
	}
	group.Wait()
	for i, text := range texts {
		if alone := ask(i); alone != text {
			t.Errorf("seed %d: %q together, %q alone", i, text, alone)
		}
	}
}

// TestEmbeddings: floats and base64 of the same vector, shortened on demand; ids are
// refused with the way out.
func TestEmbeddings(t *testing.T) {
	w := startWriter(t)
	c := w.client(t)
	var floats struct {
		Data []struct {
			Embedding []float32 `json:"embedding"`
			Index     int       `json:"index"`
		} `json:"data"`
		Usage   oaEmbeddingUsage `json:"usage"`
		Vitrine []vitrineMember  `json:"vitrine"`
	}
	a := c.call(http.MethodPost, "/v1/embeddings", obj{"model": "embedder", "input": []string{"one text", "another"}, "encoding_format": "float"})
	if a.into(t, &floats); a.status != http.StatusOK || len(floats.Data) != 2 || floats.Data[1].Index != 1 || floats.Usage.TotalTokens == 0 || len(floats.Vitrine) != 2 {
		t.Fatalf("status %d %.300s", a.status, a.body)
	}
	var packed struct {
		Data []struct {
			Embedding string `json:"embedding"`
		} `json:"data"`
	}
	c.call(http.MethodPost, "/v1/embeddings", obj{"model": "embedder", "input": "one text", "encoding_format": "base64"}).into(t, &packed)
	if packed.Data[0].Embedding != base64Floats(floats.Data[0].Embedding) {
		t.Error("base64 holds another vector")
	}
	c.call(http.MethodPost, "/v1/embeddings", obj{"model": "embedder", "input": "one text", "dimensions": 4, "encoding_format": "float"}).into(t, &floats)
	sum := 0.0
	for _, x := range floats.Data[0].Embedding {
		sum += float64(x) * float64(x)
	}
	if len(floats.Data[0].Embedding) != 4 || math.Abs(sum-1) > 1e-5 {
		t.Errorf("%v", floats.Data[0].Embedding)
	}
	for _, x := range []struct {
		body obj
		says string
	}{
		{obj{"model": "embedder", "input": [][]int{{1, 2}}}, "check_embedding_ctx_length=False"},
		{obj{"model": "embedder", "input": []string{}}, "empty"},
		{obj{"model": "embedder", "input": "x", "dimensions": 100000}, "dimensions"},
		{obj{"model": "embedder", "input": "x", "encoding_format": "hex"}, "base64"},
	} {
		if a := c.call(http.MethodPost, "/v1/embeddings", x.body); a.status != http.StatusBadRequest || !strings.Contains(string(a.body), x.says) {
			t.Errorf("%v: status %d %s", x.body, a.status, a.body)
		}
	}
	if n := w.count(t, "PREDICTION.MADE.OK"); n < 4 {
		t.Errorf("%d predictions are in the log", n)
	}
}

func TestShortenedVectors(t *testing.T) {
	v := shortened([]float32{3, 4, 12}, 2)
	if math.Abs(float64(v[0])-0.6) > 1e-6 || math.Abs(float64(v[1])-0.8) > 1e-6 {
		t.Error(v)
	}
	raw, err := base64.StdEncoding.DecodeString(base64Floats([]float32{1, -2}))
	if err != nil || len(raw) != 8 || raw[3] != 0x3f || raw[7] != 0xc0 {
		t.Errorf("%x %v", raw, err)
	}
}
