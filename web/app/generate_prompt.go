package app

import (
	"slices"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/privacy"
)

// prompt is what a model reads before it writes.
type prompt struct {
	task    string
	writing inference.Writing // without options
	tokens  []inference.Token // that the model reads
	kept    []inference.Token // the same in the terms of the kept input
	windows []inference.WindowNote
	count   int
}

// prompt checks and protects what is to be read, and makes w.input.
func (a *App) prompt(w *run, m *inference.Model, r *GenerateRequest) (*prompt, error) {
	if !m.Generates() {
		return nil, fail(ErrInput, "choose a model of the task text-generation, summarization or translation", "%s does not write texts", w.row.Name)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	p := &prompt{task: w.row.Task}
	var err error
	switch {
	case r.Messages != nil:
		p.task = taskChat
		err = a.readMessages(w, m, p, r.Messages)
	case r.IDs != nil:
		err = a.readIDs(w, m, p, r.IDs)
	default:
		if w.input, err = protect(w.decision.Obligations, r.Text, nil, nil); err != nil {
			return nil, err
		}
		p.tokens, err = m.Tokenize(r.Prefix+w.input.seen.Text, true)
	}
	if err != nil {
		return nil, inputError(err)
	}
	w.input.kept.Prefix = r.Prefix
	_, writes := m.Reads()
	if writes > 0 {
		p.writing = inference.Writing{Text: w.input.seen.Text, Prefix: r.Prefix, Language: r.Language}
		p.tokens = shift(p.tokens, len([]rune(r.Prefix)))
	} else {
		if r.Prefix != "" || r.Language != "" {
			return nil, fail(ErrInput, "write them into the text", "%s goes on from a text; it takes no prefix and no language", w.row.Name)
		}
		p.writing = inference.Writing{IDs: idsOf(p.tokens)}
		if len(p.writing.IDs) == 0 {
			start := m.Defaults().Start
			if start < 0 {
				return nil, fail(ErrInput, "write at least one word", "the prompt is empty")
			}
			word, _ := m.Word(start)
			p.tokens = []inference.Token{{Text: word, ID: start, Special: true, Word: -1, Index: -1}}
			p.writing.IDs = []int32{start}
		}
	}
	p.kept = w.input.tokens(p.tokens)
	p.count = len(p.tokens)
	return p, nil
}

// shift moves tokens of prefix and text to where they stand in the text; those of the
// prefix cover nothing of it.
func shift(tokens []inference.Token, by int) []inference.Token {
	for i := range tokens {
		if !tokens[i].Special {
			tokens[i].Start, tokens[i].End = max(tokens[i].Start-by, 0), max(tokens[i].End-by, 0)
		}
	}
	return tokens
}

func idsOf(tokens []inference.Token) []int32 {
	out := make([]int32, len(tokens))
	for i, t := range tokens {
		out[i] = t.ID
	}
	return out
}

// readIDs brings ids of the vocabulary into the form of a text. The model reads exactly
// these ids, unless the rule masks something in what they spell.
func (a *App) readIDs(w *run, m *inference.Model, p *prompt, ids []int32) error {
	text, tokens, err := m.Spell(ids)
	if err != nil {
		return err
	}
	if w.input, err = protect(w.decision.Obligations, &text, nil, nil); err != nil {
		return err
	}
	if p.tokens = tokens; w.input.seen.Text != text {
		p.tokens, err = m.Tokenize(w.input.seen.Text, false)
	}
	return err
}

// readMessages writes a conversation down as the checkpoint's template says, masked and,
// where the model sees the clear text, clear.
func (a *App) readMessages(w *run, m *inference.Model, p *prompt, list []inference.Message) error {
	masked := slices.Clone(list)
	in := &protected{kept: InputView{Modality: "text", Kept: true}}
	for i, one := range list {
		for _, s := range []string{one.Role, one.Content} {
			if word, ok := m.Control(s); ok {
				return fail(ErrInput, "write it in another way", "message %d holds %q, by which this model tells turns apart", i+1, word)
			}
		}
		in.kept.Bytes += len(one.Content)
		masked[i].Content, _ = in.mask(w.decision.Obligations, one.Content)
	}
	in.kept.Messages, in.kept.Masked = masked, in.findings
	now := a.now()
	var err error
	if in.kept.Text, err = m.ChatPrompt(masked, now); err != nil {
		return err
	}
	in.seen = inference.Input{Text: in.kept.Text}
	if w.decision.Obligations.ModelSeesClear && len(in.findings) > 0 {
		if err := in.seeClear(w.decision.Obligations, m, list, func(l []inference.Message) (string, error) { return m.ChatPrompt(l, now) }); err != nil {
			return err
		}
	}
	if p.tokens, err = m.Tokenize(in.seen.Text, false); err != nil { // the template writes special tokens itself
		return err
	}
	w.input = in
	return nil
}

// seeClear lets the model read the conversation as it came.
func (p *protected) seeClear(o policy.Obligations, m *inference.Model, list []inference.Message, write func([]inference.Message) (string, error)) error {
	clear, err := write(list)
	if err != nil {
		return err
	}
	masked, _, offsets := privacy.Mask(clear, o.Mask)
	if masked != p.kept.Text {
		return fail(ErrInput, "let the rule mask what the model reads as well", "what the model's template adds to this conversation is masked too, so that its tokens cannot be told apart")
	}
	p.clear, p.offsets, p.seen = true, offsets, inference.Input{Text: clear}
	return nil
}

// explainableText refuses what a model's description alone rules out.
func explainableText(info inference.Info, r ExplainRequest) error {
	m, _ := explain.Lookup(r.Method)
	if ok, why := suits(info, m); !ok {
		return fail(ErrUnsuitable, "choose another method", "%s on %s: %s", m.ID, info.Name, why)
	}
	return nil
}

// writtenText is a stored answer as explanations take it: the tokens that were read and
// written, none of them made again.
//
// An answer ends before its first token that a mask covers.
//
// Errors: ErrInputNotKept where a mask covers a token of what was read, or the first that was written.
func writtenText(m *inference.Model, v *PredictionView, answer int) (*explain.Continuation, error) {
	if answer >= len(v.Output.Generated) {
		return nil, notFound("answer")
	}
	if len(v.Windows) > 1 {
		return nil, fail(ErrUnsuitable, "generate from one part of the text", "the text was read in %d windows; an answer is explained where it was read at once", len(v.Windows))
	}
	c := &explain.Continuation{Prompt: slices.Clone(v.Tokens)}
	if _, writes := m.Reads(); writes > 0 {
		start := m.Defaults().Start
		word, _ := m.Word(start)
		c.Start = []inference.Token{{Text: word, ID: start, Special: true, Word: -1, Index: -1}}
	}
	marks := map[int32]bool{} // ids by which the model tells turns apart: not what somebody wrote
	for i, t := range c.Prompt {
		if t.Text == placeholderToken {
			return nil, errCovered
		}
		if _, seen := marks[t.ID]; !seen {
			_, marks[t.ID] = m.Control(t.Text)
		}
		c.Prompt[i].Special = t.Special || marks[t.ID]
	}
	for i, t := range v.Output.Generated[answer].Tokens {
		if t.Masked { // nothing behind it can be explained, everything before it can
			break
		}
		text := t.Text
		if t.Special {
			text, _ = m.Word(t.ID)
		}
		c.Answer = append(c.Answer, inference.Token{Text: text, ID: t.ID, Start: t.Start, End: t.End, Special: t.Special, Word: i, Index: i})
	}
	if len(c.Answer) == 0 && len(v.Output.Generated[answer].Tokens) > 0 {
		return nil, errCovered
	}
	return c, nil
}

// errCovered: which tokens were read or written is not known any more.
var errCovered = fail(ErrInputNotKept, "a rule that masks less keeps more", "a token of this text was masked, so that the text cannot be explained")
