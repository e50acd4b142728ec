package web

import (
	"encoding/json"
	"net/http"

	"vitrine/inference"
	"vitrine/policy"
	"vitrine/web/app"
)

// generationBody is what POST /api/v1/generations takes: one text, one conversation, or
// ids of the model's vocabulary.
type generationBody struct {
	Model         string              `json:"model" schema:"minLength=1;maxLength=200"`
	Text          *string             `json:"text,omitempty"`
	Messages      []generationMessage `json:"messages,omitempty" schema:"minItems=1;maxItems=1024"`
	IDs           []int32             `json:"ids,omitempty"`
	Prefix        string              `json:"prefix,omitempty"`
	Language      string              `json:"language,omitempty" schema:"maxLength=40"`
	Purpose       string              `json:"purpose,omitempty" schema:"list=purposes"`
	DataClass     string              `json:"data_class,omitempty" schema:"list=data-classes"`
	Subject       string              `json:"subject,omitempty" schema:"maxLength=200"`
	N             int                 `json:"n,omitempty" schema:"minimum=0;maximum=16"`
	BestOf        int                 `json:"best_of,omitempty" schema:"minimum=0;maximum=16"`
	MaxTokens     *int                `json:"max_tokens,omitempty" schema:"minimum=0"`
	MinTokens     int                 `json:"min_tokens,omitempty" schema:"minimum=0"`
	Temperature   float64             `json:"temperature,omitempty" schema:"minimum=0;maximum=100"`
	TopK          int                 `json:"top_k,omitempty" schema:"minimum=0"`
	TopP          float64             `json:"top_p,omitempty" schema:"minimum=0;maximum=1"`
	MinP          float64             `json:"min_p,omitempty" schema:"minimum=0;maximum=1"`
	TypicalP      float64             `json:"typical_p,omitempty" schema:"minimum=0;maximum=1"`
	Repetition    float64             `json:"repetition_penalty,omitempty" schema:"minimum=0;maximum=100"`
	Frequency     float64             `json:"frequency_penalty,omitempty" schema:"minimum=-2;maximum=2"`
	Presence      float64             `json:"presence_penalty,omitempty" schema:"minimum=-2;maximum=2"`
	NoRepeat      int                 `json:"no_repeat_ngram,omitempty" schema:"minimum=0"`
	Beams         int                 `json:"beams,omitempty" schema:"minimum=0;maximum=64"`
	LengthPenalty float64             `json:"length_penalty,omitempty" schema:"minimum=-100;maximum=100"`
	Seed          *uint64             `json:"seed,omitempty" schema:"minimum=0;maximum=9007199254740991"`
	Stop          []string            `json:"stop,omitempty" schema:"maxItems=16"`
	Alternatives  int                 `json:"alternatives,omitempty" schema:"minimum=0;maximum=100"`
	ScorePrompt   bool                `json:"score_prompt,omitempty"`
	Format        *generationFormat   `json:"format,omitempty"`
	Explain       *explainBody        `json:"explain,omitempty"`
	// Stream answers with server-sent events: pieces {answer, text}, then the prediction.
	Stream bool `json:"stream,omitempty"`
}

type generationMessage struct {
	Role    string `json:"role" schema:"minLength=1;maxLength=40"`
	Content string `json:"content"`
}

type generationFormat struct {
	Type   string          `json:"type" schema:"minLength=1;maxLength=40"`
	Schema json.RawMessage `json:"schema,omitempty"`
	Text   string          `json:"text,omitempty"`
}

// generationEvent is one event of a stream: a piece, or at the end the prediction or an
// error.
type generationEvent struct {
	Answer     int                 `json:"answer"`
	Text       string              `json:"text"`
	Finish     string              `json:"finish,omitempty"`
	Prediction *app.PredictionView `json:"prediction,omitempty"`
}

func init() {
	api(http.MethodPost, "/api/v1/generations", policy.Generate, Doc{
		Summary: "Let a model write: go on from a text, answer a conversation, summarise, translate; governed and recorded",
		Body:    generationBody{}, Reply: app.PredictionView{}, Status: http.StatusCreated, Large: true, Extra: []int{http.StatusNotFound, http.StatusConflict, http.StatusInsufficientStorage},
	}, generationCreate)
}

func (b *generationBody) request(c *Context) app.GenerateRequest {
	r := app.GenerateRequest{
		Model: b.Model, Text: b.Text, IDs: b.IDs, Prefix: b.Prefix, Language: b.Language, Purpose: b.Purpose, DataClass: b.DataClass, Subject: b.Subject,
		RequestID: c.RequestID, N: b.N, BestOf: b.BestOf, MaxTokens: b.MaxTokens, MinTokens: b.MinTokens, Temperature: b.Temperature, TopK: b.TopK,
		TopP: b.TopP, MinP: b.MinP, TypicalP: b.TypicalP, Repetition: b.Repetition, Frequency: b.Frequency, Presence: b.Presence, NoRepeat: b.NoRepeat,
		Beams: b.Beams, LengthPenalty: b.LengthPenalty, Seed: b.Seed, Stop: b.Stop, Alternatives: b.Alternatives, ScorePrompt: b.ScorePrompt,
	}
	for _, m := range b.Messages {
		r.Messages = append(r.Messages, inference.Message{Role: m.Role, Content: m.Content})
	}
	if b.Format != nil {
		r.Format = &app.FormatRequest{Type: b.Format.Type, Schema: b.Format.Schema, Text: b.Format.Text}
	}
	if b.Explain != nil {
		e := b.Explain.request(c)
		r.Explain = &e
	}
	return r
}

func generationCreate(c *Context) error {
	var b generationBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	r := b.request(c)
	if !b.Stream {
		v, err := c.App.Generate(c.Ctx(), c.Caller, r, app.Sink{})
		if err != nil {
			return err
		}
		c.receipt(v)
		c.Response().Header().Set("Location", "/api/v1/predictions/"+v.ID)
		return c.JSON(http.StatusCreated, v)
	}
	s := &events{c: c}
	defer s.close()
	v, err := c.App.Generate(c.Ctx(), c.Caller, r, app.Sink{
		Start: func(b app.Started) error { c.started(b); return nil },
		Piece: func(p app.Piece) error {
			return s.send(generationEvent{Answer: p.Answer, Text: p.Text, Finish: p.Finish})
		},
	})
	if err != nil {
		return s.fail(err)
	}
	_ = s.send(generationEvent{Prediction: v}) // who went away has lost nothing that is not kept
	return nil
}
