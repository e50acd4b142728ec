package web

import (
	"encoding/json"
	"math"
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

type oaEmbeddingBody struct {
	Model          string  `json:"model"`
	Input          any     `json:"input"` // a text or several
	Dimensions     *int    `json:"dimensions,omitempty"`
	EncodingFormat string  `json:"encoding_format,omitempty"` // float or base64
	User           *string `json:"user,omitempty"`
	Purpose        string  `json:"purpose,omitempty"`
	DataClass      string  `json:"data_class,omitempty"`
	Subject        string  `json:"subject,omitempty"`
}

type oaEmbeddings struct {
	Object  string           `json:"object"`
	Data    []oaEmbedding    `json:"data"`
	Model   string           `json:"model"`
	Usage   oaEmbeddingUsage `json:"usage"`
	Vitrine []*vitrineMember `json:"vitrine"` // one an input
}

type oaEmbedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // floats, or little-endian float32 in base64
}

type oaEmbeddingUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// maxInputs is how many texts one call may embed.
const maxInputs = 2048

func init() {
	api(http.MethodPost, "/v1/embeddings", policy.Predict, Doc{
		Summary: "OpenAI: the vectors of texts", Body: oaEmbeddingBody{}, Reply: oaEmbeddings{}, Large: true,
		Extra: []int{http.StatusNotFound, http.StatusConflict, http.StatusInsufficientStorage},
	}, embeddingCreate)
}

func embeddingCreate(c *Context) error {
	x, err := readCall(c)
	if err != nil {
		return err
	}
	r := app.PredictRequest{Model: x.modelName(""), RequestID: c.RequestID}
	x.govern(c.Request().Header, &r)
	if r.Subject == "" {
		x.take("user", &r.Subject)
	}
	encoding, dimensions := "float", 0
	x.take("encoding_format", &encoding)
	if encoding != "float" && encoding != "base64" {
		x.complain("encoding_format has no such value", "use float or base64")
	}
	x.whole("dimensions", &dimensions, 1, 1<<20)
	texts := x.inputs()
	if x.err != nil {
		return x.err
	}
	x.ignored()
	out := oaEmbeddings{Object: "list", Data: []oaEmbedding{}}
	for i, t := range texts {
		r.Text = &t
		v, err := c.App.Embed(c.Ctx(), c.Caller, r)
		if err != nil {
			return err
		}
		if i == 0 {
			c.receipt(v)
		}
		vector := v.Output.Vector
		if dimensions > len(vector) {
			return invalid("the model's vectors have fewer dimensions than were asked for", "leave dimensions out, or ask for fewer")
		}
		if dimensions > 0 && dimensions < len(vector) {
			vector = shortened(vector, dimensions)
		}
		one := oaEmbedding{Object: "embedding", Index: i, Embedding: vector}
		if encoding == "base64" {
			one.Embedding = base64Floats(vector)
		}
		out.Data = append(out.Data, one)
		out.Model = v.Model.Name
		out.Usage.PromptTokens += len(v.Tokens)
		out.Vitrine = append(out.Vitrine, memberOf(v))
	}
	out.Usage.TotalTokens = out.Usage.PromptTokens
	return c.JSON(http.StatusOK, out)
}

// inputs takes a text or several. Ids are refused: clients that send them made them with
// another model's vocabulary.
func (x *call) inputs() []string {
	const name = "input"
	x.used = append(x.used, name)
	raw := x.values[name]
	texts, ok := textOrTexts(raw)
	var ids []json.Number
	var lists [][]json.Number
	switch {
	case !x.has(name):
		x.complain("the body has no input", "send a text or a list of texts")
	case ok && len(texts) == 0:
		x.complain("the input is empty", "send a text or a list of texts")
	case ok && len(texts) > maxInputs:
		x.complain("a call embeds at most 2048 texts", "send them in several calls")
	case ok:
		return texts
	case json.Unmarshal(raw, &ids) == nil || json.Unmarshal(raw, &lists) == nil:
		x.complain("the input is a list of token ids, which were made with another model's vocabulary", "send texts; of LangChain's OpenAIEmbeddings, set check_embedding_ctx_length=False")
	default:
		x.complain("input must be a text or a list of texts", "send texts")
	}
	return nil
}

// shortened keeps the first dimensions of a vector and makes its length 1 again.
func shortened(v []float32, n int) []float32 {
	sum := 0.0
	for _, f := range v[:n] {
		sum += float64(f) * float64(f)
	}
	length := math.Sqrt(sum)
	out := make([]float32, n)
	for i, f := range v[:n] {
		if length > 0 {
			out[i] = float32(float64(f) / length)
		}
	}
	return out
}
