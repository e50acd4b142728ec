package app

import (
	"context"
	"crypto/sha256"
	"fmt"

	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// TokenizerView is what a client needs to count a model's tokens itself. Tokens that the
// model lacks are nil.
type TokenizerView struct {
	Model     ModelRef
	MaxTokens int
	BOS, EOS  *string
	Pad       *string
	Template  *string // of conversations
}

// Embed is Predict for a model that gives vectors; a repeated refusal is one entry.
func (a *App) Embed(ctx context.Context, c identity.Caller, r PredictRequest) (*PredictionView, error) {
	row, err := a.lookup(ctx, r.Model)
	if err != nil {
		return nil, err
	}
	if row.Task != taskEmbedding && a.decide(ask{caller: c, action: policy.Predict, object: "model:" + row.Name}).Allow {
		return nil, fail(ErrInput, "choose a model of the task feature-extraction", "%s gives no vectors", row.Name)
	}
	r.once = fmt.Sprintf("%x", sha256.Sum256([]byte(*r.Text)))
	return a.Predict(ctx, c, r)
}

const taskEmbedding = "feature-extraction"

// Tokenize gives a model's ids of a text. Nothing is run, kept or recorded but a refusal:
// whoever may look at a model may look at its vocabulary.
func (a *App) Tokenize(ctx context.Context, c identity.Caller, model, text string, special bool) ([]inference.Token, *TokenizerView, error) {
	m, v, err := a.vocabulary(ctx, c, model)
	if err != nil {
		return nil, nil, err
	}
	list, err := m.Tokenize(text, special)
	return list, v, inputError(err)
}

// Detokenize gives the text of a model's ids.
func (a *App) Detokenize(ctx context.Context, c identity.Caller, model string, ids []int32) (string, error) {
	m, _, err := a.vocabulary(ctx, c, model)
	if err != nil {
		return "", err
	}
	text, _, err := m.Spell(ids)
	return text, inputError(err)
}

// Tokenizer says what a model's tokenizer is like.
func (a *App) Tokenizer(ctx context.Context, c identity.Caller, model string) (*TokenizerView, error) {
	_, v, err := a.vocabulary(ctx, c, model)
	return v, err
}

// vocabulary finds a model that the caller may look at; "" is the only one that writes
// texts.
func (a *App) vocabulary(ctx context.Context, c identity.Caller, name string) (*inference.Model, *TokenizerView, error) {
	if name == "" {
		only, err := a.onlyWriter(ctx)
		if err != nil {
			return nil, nil, err
		}
		name = only
	}
	row, err := a.readableModel(ctx, c, name)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.model(row)
	if err != nil {
		return nil, nil, err
	}
	v := &TokenizerView{Model: modelRef(row)}
	v.MaxTokens, _ = m.Reads()
	ids := m.Info().SpecialIDs
	word := func(id int32) *string {
		if w, ok := m.Word(id); ok && id >= 0 {
			return &w
		}
		return nil
	}
	v.BOS, v.EOS, v.Pad = word(ids.BOS), word(ids.EOS), word(ids.Pad)
	if s, ok := m.ChatTemplate(); ok {
		v.Template = &s
	}
	return m, v, nil
}

// onlyWriter is the one registered model that goes on from a text.
func (a *App) onlyWriter(ctx context.Context) (string, error) {
	rows, err := a.store.Models(ctx, a.workspace)
	if err != nil {
		return "", err
	}
	var found *store.Model
	for i := range rows {
		if rows[i].Task == taskGeneration && (found == nil || rows[i].Name != found.Name) {
			if found != nil {
				return "", fail(ErrInput, "name one of them as model", "several models write texts: %s and %s among them", found.Name, rows[i].Name)
			}
			found = &rows[i]
		}
	}
	if found == nil {
		return "", fail(ErrUnknownModel, "vitrine model add registers one", "no model that writes texts is registered")
	}
	return found.Name, nil
}
