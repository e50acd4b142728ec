package inference

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"vitrine/inference/template"
)

// maxMessages bounds a conversation.
const maxMessages = 1024

// Message is one turn of a conversation; roles are those that the model's template knows, mostly system, user and assistant.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// ChatPrompt is a conversation as the checkpoint's chat template writes it, up to where the answer begins. Errors wrap ErrInput where the template refuses the
// conversation or the model has none, ErrUnsupported where the template asks for what is not run.
func (m *Model) ChatPrompt(messages []Message, now time.Time) (string, error) {
	if len(messages) == 0 || len(messages) > maxMessages {
		return "", fmt.Errorf("inference: %w: a conversation of %d messages; 1 to %d are possible", ErrInput, len(messages), maxMessages)
	}
	for _, one := range messages {
		if err := checkText("message", one.Content); err != nil {
			return "", err
		}
	}
	c := &m.continuation
	if errors.Is(c.chatErr, fs.ErrNotExist) || c.chat == nil && c.chatErr == nil || m.tok == nil {
		return "", fmt.Errorf("inference: %w: this model has no chat template; give it a text to go on with, or choose a model made for chat", ErrInput)
	}
	if c.chatErr != nil {
		return "", fmt.Errorf("inference: %w: %w", ErrUnsupported, c.chatErr)
	}
	if now.IsZero() {
		now = time.Now()
	}
	raw, err := json.Marshal(messages)
	if err != nil {
		return "", fmt.Errorf("inference: %w: %w", ErrInput, err)
	}
	list, err := template.Decode(raw)
	if err != nil {
		return "", fmt.Errorf("inference: %w: %w", ErrInput, err)
	}
	s := m.tok.Special()
	word := func(id int32) string {
		w, _ := m.tok.Token(id)
		return w
	}
	text, err := c.chat.Render(template.Chat{Messages: list, AddGenerationPrompt: true, BOS: word(s.BOS), EOS: word(s.EOS), Now: now})
	if errors.Is(err, template.ErrUnsupported) {
		return "", fmt.Errorf("inference: %w: %w", ErrUnsupported, err)
	} else if err != nil {
		return "", fmt.Errorf("inference: the chat template: %w: %w", ErrInput, err)
	}
	return text, nil
}

// promptIDs are the ids that a decoder-only model goes on from: those given, a conversation's, or a text's.
func (m *Model) promptIDs(w *Writing) ([]int32, error) {
	switch {
	case w.IDs != nil:
		return w.IDs, nil
	case w.Messages != nil && w.Text != "":
		return nil, fmt.Errorf("inference: %w: give a text or a conversation, not both", ErrInput)
	case w.Messages != nil:
		text, err := m.ChatPrompt(w.Messages, w.Now)
		if err != nil {
			return nil, err
		}
		enc, err := m.tok.Encode(text, nil, false) // the template writes special tokens itself
		if err != nil {
			return nil, fmt.Errorf("inference: tokenizing: %w", classify(err))
		}
		return idsOf(enc.Tokens), nil
	}
	tokens, err := m.tokens(w.Text)
	return idsOf(tokens), err
}
