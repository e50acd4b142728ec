package web

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"net/http"
	"strings"
	"testing"

	"vitrine/policy"
	"vitrine/web/app"
)

// hugePNG is a well-formed header that claims 20,000 × 20,000 pixels.
func hugePNG() []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(data)))
		body := append([]byte(kind), data...)
		b.Write(body)
		_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(nil, 20000)
	head = append(binary.BigEndian.AppendUint32(head, 20000), 8, 2, 0, 0, 0)
	chunk("IHDR", head)
	chunk("IDAT", []byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1})
	chunk("IEND", nil)
	return b.Bytes()
}

func cutJPEG(t *testing.T) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[:b.Len()/2]
}

// TestUnusableInput: one sentence, the right status, a hint, nothing stored, and
// the attempt in the log where a model was asked.
func TestUnusableInput(t *testing.T) {
	c := program(t, policy.ModelOwner)
	encoded := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	count := func() int64 {
		var l app.PredictionList
		c.call(http.MethodGet, "/api/v1/predictions?limit=1", nil).into(t, &l)
		return l.Total
	}
	before := count()
	for _, x := range []struct {
		name   string
		body   obj
		status int
		code   string
		says   string
	}{
		{"empty text", obj{"model": "sentiment-minilm", "text": ""}, 422, "input_invalid", "empty"},
		{"blank text", obj{"model": "sentiment-minilm", "text": " \n\t "}, 422, "input_invalid", ""},
		{"huge picture", obj{"model": "digits-resnet", "image": encoded(hugePNG())}, 422, "input_invalid", "pixels"},
		{"cut picture", obj{"model": "digits-resnet", "image": encoded(cutJPEG(t))}, 422, "input_invalid", ""},
		{"no picture", obj{"model": "digits-resnet", "image": encoded([]byte("hello there"))}, 422, "input_invalid", ""},
		{"text for pictures", obj{"model": "digits-resnet", "text": "x"}, 422, "input_invalid", "picture"},
		{"unknown model", obj{"model": "nobody", "text": "x"}, 404, "model_not_found", "nobody"},
		{"unknown purpose", obj{"model": "sentiment-minilm", "text": "x", "purpose": "world-domination"}, 422, "purpose_not_found", "world-domination"},
		{"unknown class of data", obj{"model": "sentiment-minilm", "text": "x", "data_class": "secret"}, 422, "input_invalid", "secret"},
		{"unknown label", obj{"model": "sentiment-minilm", "text": "x", "explain": obj{"method": "saliency", "target": "furious"}}, 404, "label_not_found", "furious"},
		{"unknown method", obj{"model": "sentiment-minilm", "text": "x", "explain": obj{"method": "tea-leaves"}}, 422, "method_not_found", "tea-leaves"},
		{"unsuitable method", obj{"model": "sentiment-minilm", "text": "x", "explain": obj{"method": "grad-cam"}}, 409, "method_unsuitable", "grad-cam"},
		{"unknown parameter", obj{"model": "sentiment-minilm", "text": "x", "explain": obj{"method": "saliency", "params": obj{"zeal": 1}}}, 409, "parameter_invalid", "zeal"},
	} {
		a := c.call(http.MethodPost, "/api/v1/predictions", x.body)
		p := a.problem(t)
		if a.status != x.status || p.Code != x.code || p.Hint == "" || !strings.Contains(p.Detail, x.says) {
			t.Errorf("%s: status %d %s", x.name, a.status, a.body)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d predictions were kept of requests that failed", after-before)
	}
	if a := c.call(http.MethodGet, "/healthz", nil); a.status != http.StatusOK {
		t.Errorf("the server is down: status %d", a.status)
	}
}

// TestLongTextIsReadInWindows: nothing is cut, and the answer says so.
func TestLongTextIsReadInWindows(t *testing.T) {
	c := program(t, policy.Analyst)
	text := strings.Repeat("really good ", 100_000/12+1)[:100_000]
	a := c.call(http.MethodPost, "/api/v1/predictions", obj{"model": "sentiment-minilm", "text": text})
	if a.status != http.StatusCreated {
		t.Fatalf("status %d: %.300s", a.status, a.body)
	}
	var v app.PredictionView
	a.into(t, &v)
	if len(v.Windows) < 2 || v.Windows[0].Start != 0 || v.Windows[len(v.Windows)-1].End < len(text)-12 {
		t.Errorf("%d windows over %d characters", len(v.Windows), len(text))
	}
	for i := 1; i < len(v.Windows); i++ {
		if v.Windows[i].Start > v.Windows[i-1].End+1 {
			t.Errorf("between window %d and %d something is left out", i-1, i)
		}
	}
}

// TestMisspeltFiltersAreRefused: a filter that does not exist must not answer with
// everything. Pages pass what they do not know.
func TestMisspeltFiltersAreRefused(t *testing.T) {
	c := program(t, policy.Admin)
	for path, want := range map[string]int{
		"/api/v1/predictions?limit=1": http.StatusOK, "/api/v1/predictions?aftre=2026-01-01": http.StatusBadRequest,
		"/api/v1/audit/events?cursor=x": http.StatusBadRequest, "/api/v1/models?x=": http.StatusBadRequest,
	} {
		if a := c.call(http.MethodGet, path, nil); a.status != want {
			t.Errorf("%s: status %d, want %d: %s", path, a.status, want, a.body)
		}
	}
}
