package web

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"vitrine/inference/pretrained"
	"vitrine/policy"
)

// TestHuggingFaceClients replays what huggingface_hub 2.4 and @huggingface/inference
// 4.13 send, as recorded, and checks what they read.
func TestHuggingFaceClients(t *testing.T) {
	c := program(t, policy.Analyst)
	pictures, err := pretrained.Examples("digits-resnet")
	if err != nil || len(pictures) == 0 {
		t.Fatal(err)
	}
	picture := pictures[0].Image
	b64 := base64.StdEncoding.EncodeToString(picture)
	texts := func(path string, body any, rows int) {
		t.Helper()
		a := c.call(http.MethodPost, path, body)
		var nested [][]hfLabel
		if a.into(t, &nested); a.status != http.StatusOK || len(nested) != 1 || len(nested[0]) != rows || nested[0][0].Label != "positive" {
			t.Errorf("%v: status %d %s", body, a.status, a.body)
		}
		for _, h := range []string{"X-Vitrine-Prediction", "X-Vitrine-Policy", "X-Vitrine-Receipt"} {
			if a.header.Get(h) == "" {
				t.Errorf("no header %s", h)
			}
		}
	}
	const sentiment = "/hf/models/sentiment-minilm"
	texts(sentiment, `{"inputs": "I love it", "parameters": {}}`, 3)                                      // Python
	texts(sentiment, `{"inputs": "I love it", "parameters": {"function_to_apply": null, "top_k": 2}}`, 2) // Python
	texts(sentiment, `{"inputs":"I love it"}`, 3)                                                         // JavaScript
	texts(sentiment, `{"inputs":"I love it","parameters":{"top_k":1}}`, 1)                                // JavaScript
	flat := func(body any, media string, rows int) {
		t.Helper()
		a := c.call(http.MethodPost, "/hf/models/digits-resnet", body, "Content-Type", media)
		var list []hfLabel
		if a.into(t, &list); a.status != http.StatusOK || len(list) != rows || list[0].Score < list[rows-1].Score {
			t.Errorf("%s: status %d %s", media, a.status, a.body)
		}
	}
	flat(picture, "", 10) // Python names no type
	flat(picture, "image/png", 10)
	flat(obj{"inputs": b64, "parameters": obj{"top_k": 3}}, "application/json", 3)
	for _, x := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"/hf/models/nobody", `{"inputs":"x"}`, 404, "model_not_found"},
		{"/hf/models/nobody", "", 404, "model_not_found"},
		{"/hf/models/some/body", `{"inputs":"x"}`, 404, "model_not_found"},
		{sentiment, `{"inputs":""}`, 422, "input_invalid"},
		{sentiment, `{"inputs":["a","b"]}`, 400, "invalid_request"},
		{sentiment, `{"parameters":{}}`, 400, "invalid_request"},
		{sentiment, `{"inputs":"x","parameters":{"top_k":-1}}`, 400, "invalid_request"},
		{sentiment, `{"inputs":"x","parameters":{"top_k":"two"}}`, 400, "invalid_request"},
		{sentiment, "{\"inputs\":\"\xff\"}", 400, "invalid_request"},
		{"/hf/models/digits-resnet", `{"inputs":"not base64!"}`, 400, "invalid_request"},
	} {
		a := c.call(http.MethodPost, x.path, x.body)
		var e hfError
		if a.into(t, &e); a.status != x.status || e.ErrorType != x.code || e.Error == "" {
			t.Errorf("%s %s: status %d %s", x.path, x.body, a.status, a.body)
		}
	}
	a := c.call(http.MethodPost, sentiment, `{"inputs":"x","parameters":{"moon_phase":"full"}}`)
	if got := a.header.Get("X-Vitrine-Ignored"); a.status != http.StatusOK || got != "moon_phase" {
		t.Errorf("an unknown parameter: status %d, ignored %q", a.status, got)
	}
	made := c.logged("&kind=PREDICTION.MADE.OK", 8).Total
	for _, bad := range []string{`{"top_k":"two"}`, `{"function_to_apply":"magic"}`, `{"purpose":7}`} {
		if a := c.call(http.MethodPost, sentiment, `{"inputs":"x","parameters":`+bad+`}`); a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, a.status)
		}
	}
	if now := c.logged("&kind=PREDICTION.MADE.OK", 8).Total; now != made {
		t.Errorf("parameters that cannot be used left %d predictions behind", now-made)
	}
	// The policy's words count on this road too.
	for _, h := range [][]string{{"X-Vitrine-Purpose", "credit-scoring"}, nil} {
		body := `{"inputs":"x","parameters":{"purpose":"credit-scoring"}}`
		if h != nil {
			body = `{"inputs":"x"}`
		}
		before := int(c.logged("&kind=PREDICTION.MADE.DENIED", 0).Total)
		if a := c.call(http.MethodPost, sentiment, body, h...); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "r-901") {
			t.Errorf("credit scoring by %v: status %d %s", h, a.status, a.body)
		} else if id := a.header.Get("X-Request-Id"); !strings.Contains(string(c.logged("&kind=PREDICTION.MADE.DENIED", before+1).Items[0].Leaf), id) {
			t.Errorf("the newest refusal in the log is not of request %s", id)
		}
	}
	if list := c.logged("&kind=PREDICTION.MADE.OK", 8); list.Total < 8 {
		t.Errorf("the log holds %d of the predictions", list.Total)
	}
}
