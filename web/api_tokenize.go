package web

import (
	"net/http"

	"vitrine/inference"
	"vitrine/policy"
)

// The tokenizer of a model for clients that count or make ids themselves, as other
// servers of this protocol offer it at the root. Without a model's name the only one that
// writes texts is meant.

type tokenizeBody struct {
	Model            string `json:"model,omitempty"`
	Prompt           string `json:"prompt"`
	AddSpecialTokens *bool  `json:"add_special_tokens,omitempty"`
}

type tokenized struct {
	Tokens      []int32 `json:"tokens"`
	Count       int     `json:"count"`
	MaxModelLen int     `json:"max_model_len"`
}

type detokenizeBody struct {
	Model  string  `json:"model,omitempty"`
	Tokens []int32 `json:"tokens"`
}

type detokenized struct {
	Prompt string `json:"prompt"`
}

type tokenizerInfo struct {
	Class        string  `json:"tokenizer_class"`
	BOS          *string `json:"bos_token"`
	EOS          *string `json:"eos_token"`
	Pad          *string `json:"pad_token"`
	ChatTemplate *string `json:"chat_template"`
}

func init() {
	api(http.MethodPost, "/tokenize", policy.ModelRead, Doc{
		Summary: "A model's ids of a text; nothing is kept", Body: tokenizeBody{}, Reply: tokenized{}, Large: true, Extra: []int{http.StatusNotFound},
	}, tokenize)
	api(http.MethodPost, "/detokenize", policy.ModelRead, Doc{
		Summary: "The text of a model's ids; nothing is kept", Body: detokenizeBody{}, Reply: detokenized{}, Large: true, Extra: []int{http.StatusNotFound},
	}, detokenize)
	api(http.MethodGet, "/tokenizer_info", policy.ModelRead, Doc{
		Summary: "What a model's tokenizer is like", Reply: tokenizerInfo{}, Query: []Arg{text("model", "name or name@version")}, Extra: []int{http.StatusNotFound},
	}, tokenizerGet)
}

func tokenize(c *Context) error {
	x, err := readCall(c)
	if err != nil {
		return err
	}
	var b tokenizeBody
	special := true
	x.take("model", &b.Model)
	x.take("prompt", &b.Prompt)
	x.take("add_special_tokens", &special)
	if !x.has("prompt") {
		x.complain("the body has no prompt", "send a text")
	}
	if x.err != nil {
		return x.err
	}
	x.ignored()
	list, m, err := c.App.Tokenize(c.Ctx(), c.Caller, b.Model, b.Prompt, special)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, tokenized{Tokens: idList(list), Count: len(list), MaxModelLen: m.MaxTokens})
}

func idList(list []inference.Token) []int32 {
	out := make([]int32, len(list))
	for i, t := range list {
		out[i] = t.ID
	}
	return out
}

func detokenize(c *Context) error {
	x, err := readCall(c)
	if err != nil {
		return err
	}
	var b detokenizeBody
	x.take("model", &b.Model)
	x.take("tokens", &b.Tokens)
	if !x.has("tokens") {
		x.complain("the body has no tokens", "send a list of ids")
	}
	if x.err != nil {
		return x.err
	}
	x.ignored()
	text, err := c.App.Detokenize(c.Ctx(), c.Caller, b.Model, b.Tokens)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, detokenized{text})
}

func tokenizerGet(c *Context) error {
	v, err := c.App.Tokenizer(c.Ctx(), c.Caller, c.QueryParam("model"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, tokenizerInfo{Class: "PreTrainedTokenizerFast", BOS: v.BOS, EOS: v.EOS, Pad: v.Pad, ChatTemplate: v.Template})
}
