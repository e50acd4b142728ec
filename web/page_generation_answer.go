package web

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"vitrine/explain"
	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/i18n"
	"vitrine/views/ui"
	"vitrine/web/app"
)

// withWritten adds the answer that a model wrote, word by word, and of the chosen word, or of all, an explanation.
func (c *Context) withWritten(m *views.Prediction, v *app.PredictionView, chosen string, form url.Values) error {
	list := v.Output.Generated
	answer := max(c.number("a", form, "answer", len(list)), 0)
	g := list[answer]
	word := c.number("w", form, "target", len(g.Tokens))
	base := "/predictions/" + v.ID + "?a=" + strconv.Itoa(answer)
	w := &views.Written{Prefix: v.Input.Prefix, Text: g.Text, Answer: answer, Finish: g.Finish, All: base + "#answer", Contrast: form.Get("contrast"), Sampling: sampling(v, g)}
	for _, t := range v.Input.Messages {
		w.Turns = append(w.Turns, views.Turn{Role: t.Role, Text: t.Content})
	}
	if len(w.Turns) > 0 {
		w.GoOn = "/generate?from=" + v.ID + "&go=1"
	}
	for i := range list {
		w.Answers = append(w.Answers, ui.Option{Text: i18n.T(c.Ctx(), "generation.answer-n", "n", strconv.Itoa(i+1)), URL: "/predictions/" + v.ID + "?a=" + strconv.Itoa(i), Current: i == answer})
	}
	for i, t := range g.Tokens {
		w.Words = append(w.Words, views.WrittenWord{Text: c.written(t), URL: base + "&w=" + strconv.Itoa(i) + "#answer", Probability: math.Exp(t.LogProb),
			Known: !t.Masked && t.LogProb < 0, Special: t.Special, Masked: t.Masked, Current: i == word})
	}
	if word >= 0 {
		w.Chosen = c.chosenWord(word, g.Tokens[word])
	}
	m.Written = w
	return c.withWordExplanation(m, v, g, chosen, word)
}

// number reads a count from 0 from the address or, of a form that was sent, from the form; -1 for none.
func (c *Context) number(query string, form url.Values, field string, below int) int {
	typed := c.QueryParam(query)
	if typed == "" {
		typed = form.Get(field)
	}
	n, err := strconv.Atoi(typed)
	if err != nil || n < 0 || n >= below {
		return -1
	}
	return n
}

// written is a token as it reads; one that ends the answer has no text and is called so.
func (c *Context) written(t app.GeneratedToken) string {
	if t.Special && t.Text == "" {
		return i18n.T(c.Ctx(), "generation.end")
	}
	return t.Text
}

// chosenWord is the word with what else was possible in its place.
func (c *Context) chosenWord(n int, t app.GeneratedToken) *views.ChosenWord {
	w := &views.ChosenWord{Number: n, Text: c.written(t), Probability: math.Exp(t.LogProb)}
	for _, a := range t.Alternatives {
		text := a.Text
		if a.ID == t.ID {
			text = w.Text
		}
		w.Alternatives = append(w.Alternatives, views.AlternativeWord{ID: a.ID, Text: text, Probability: math.Exp(a.LogProb), Written: a.ID == t.ID})
	}
	return w
}

func sampling(v *app.PredictionView, g app.GeneratedText) []views.NameValue {
	s := v.Output.Sampling
	if s == nil {
		return nil
	}
	var out []views.NameValue
	add := func(name string, value any, known bool) {
		if known {
			out = append(out, views.NameValue{Name: name, Value: fmt.Sprint(value)})
		}
	}
	add("max_tokens", s.MaxTokens, s.MaxTokens > 0)
	add("temperature", s.Temperature, true)
	add("top_p", s.TopP, s.TopP > 0)
	add("top_k", s.TopK, s.TopK > 0)
	add("min_p", s.MinP, s.MinP > 0)
	add("repetition_penalty", s.Repetition, s.Repetition > 0)
	add("beams", s.Beams, s.Beams > 1)
	add("seed", g.Seed, s.Temperature > 0)
	add("prompt", s.PromptTokens, true)
	add("tokens", len(g.Tokens), true)
	return out
}

// forWords turns the fields of methods to written words: what is explained is a word's log-probability, and the word to compare with
// is chosen from those that were possible.
func forWords(list []app.MethodView) []app.MethodView {
	out := slices.Clone(list)
	for i := range out {
		out[i].Params = slices.DeleteFunc(slices.Clone(out[i].Params), func(p app.ParamView) bool { return p.Name == "contrast" })
		for j := range out[i].Params {
			if p := &out[i].Params[j]; p.Name == "quantity" {
				p.Default, p.Enum = "logprob", []string{"logprob", "logit", "prob"}
			}
		}
	}
	return out
}

// cheapest is the method that signs its values and takes the fewest runs: a language model is large.
func cheapest(list []app.MethodView) string {
	best, least := "", 0
	for _, x := range list {
		if runs := x.Forwards + 3*x.Gradients; x.Allowed && x.Signed && x.Family == "gradient" && (best == "" || runs < least) {
			best, least = x.ID, runs
		}
	}
	return best
}

// wordRequest completes what the form of a written text asks for.
func wordRequest(r *app.ExplainRequest, form url.Values) {
	if n, err := strconv.Atoi(form.Get("answer")); err == nil {
		r.Answer = n
	}
	if contrast := form.Get("contrast"); contrast != "" && r.Target != "" {
		r.Params["contrast"], r.Params["quantity"] = contrast, "diff"
	}
}

// withWordExplanation picks what explains the chosen word: the explanation that is named, else the newest of this word, else the
// newest of all words, one row of which is this word's. The tabs are those that could be shown.
func (c *Context) withWordExplanation(m *views.Prediction, v *app.PredictionView, g app.GeneratedText, chosen string, word int) error {
	var fitting []app.ExplanationBrief
	for _, b := range v.Explanations {
		if b.Word != nil && b.Answer == m.Written.Answer && (*b.Word == word || *b.Word < 0) {
			fitting = append(fitting, b)
		}
	}
	slices.SortStableFunc(fitting, func(a, b app.ExplanationBrief) int { // this word's last, the newest last of all
		return cmp.Or(rank(*a.Word == word)-rank(*b.Word == word), strings.Compare(a.ID, b.ID))
	})
	if !slices.ContainsFunc(fitting, func(b app.ExplanationBrief) bool { return b.ID == chosen }) {
		if chosen != "" { // another word's was named
			if err := c.followWord(m, v, chosen, &fitting, &word); err != nil {
				return err
			}
		} else if len(fitting) > 0 {
			chosen = fitting[len(fitting)-1].ID
		}
	}
	for _, b := range fitting {
		text := views.MethodName(c.Ctx(), b.Method)
		if *b.Word < 0 && word >= 0 {
			text += " (" + i18n.T(c.Ctx(), "generation.every-word") + ")"
		}
		addr := "/predictions/" + v.ID + "?a=" + strconv.Itoa(m.Written.Answer) + "&e=" + b.ID
		if word >= 0 {
			addr += "&w=" + strconv.Itoa(word)
		}
		m.Tabs = append(m.Tabs, ui.Option{Text: text, URL: addr + "#answer", Current: b.ID == chosen})
	}
	if chosen == "" {
		return nil
	}
	e, err := c.App.Explanation(c.Ctx(), c.Caller, chosen)
	if err != nil {
		return err
	}
	if e.Prediction != v.ID {
		return errNoRoute
	}
	if e.Level == policy.LevelNone {
		m.Withheld = policy.ReasonNoExplanation
		return nil
	}
	m.Why = c.explanation(v, ofWord(v, g, e, word), v.Explanations)
	m.Why.Target = c.wordTarget(g, e, word)
	return nil
}

// followWord turns to the word that a named explanation is about.
func (c *Context) followWord(m *views.Prediction, v *app.PredictionView, chosen string, fitting *[]app.ExplanationBrief, word *int) error {
	for _, b := range v.Explanations {
		if b.ID != chosen || b.Word == nil {
			continue
		}
		*word = *b.Word
		*fitting = []app.ExplanationBrief{b}
		if n := *b.Word; n >= 0 && n < len(m.Written.Words) && b.Answer == m.Written.Answer {
			m.Written.Words[n].Current = true
			m.Written.Chosen = c.chosenWord(n, v.Output.Generated[b.Answer].Tokens[n])
		}
		return nil
	}
	return errNoRoute
}

func rank(own bool) int {
	if own {
		return 1
	}
	return 0
}

// wordTarget names what was explained.
func (c *Context) wordTarget(g app.GeneratedText, e *app.ExplanationView, word int) string {
	at := e.Target.Index
	if at < 0 {
		at = word
	}
	if at < 0 || at >= len(g.Tokens) {
		return i18n.T(c.Ctx(), "generation.every-word")
	}
	t := g.Tokens[at]
	name := views.ShownWord(c.written(t))
	if e.Target.Minus != nil {
		for _, a := range t.Alternatives {
			if int(a.ID) == *e.Target.Minus {
				return i18n.T(c.Ctx(), "generation.word-against", "word", name, "other", views.ShownWord(a.Text))
			}
		}
		return i18n.T(c.Ctx(), "generation.word-against", "word", name, "other", "#"+strconv.Itoa(*e.Target.Minus))
	}
	return name
}

// ofWord is an explanation as the page of a written text draws it: tokens as they read, and of an explanation of all words the row
// of the chosen one, with the tokens that stood before it.
func ofWord(v *app.PredictionView, g app.GeneratedText, e *app.ExplanationView, word int) *app.ExplanationView {
	out := *e
	if row := word; e.Target.Index < 0 && e.Grid != nil && row >= 0 && row < len(e.Grid.Values) {
		n := len(e.Tokens)
		if n > 0 && e.Tokens[n-1].Pair { // what was written stands behind what was read
			n -= e.Target.Words - 1 - row
		}
		if n > 0 && n <= len(e.Tokens) && n <= len(e.Grid.Values[row]) {
			out.Tokens, out.Token = e.Tokens[:n], e.Grid.Values[row][:n]
			out.Output, out.BaselineOutput, out.Companion, out.Metrics, out.Attention = 0, 0, nil, nil, nil
		}
	}
	prompt, answer := []rune(v.Input.Text), []rune(g.Text)
	out.Tokens = slices.Clone(out.Tokens)
	for i := range out.Tokens {
		t := &out.Tokens[i]
		text := prompt
		if t.Pair {
			text = answer
		}
		if !t.Special && t.Start < t.End && t.End <= len(text) {
			t.Text = string(text[t.Start:t.End])
		}
		t.Text = views.ShownWord(t.Text)
	}
	out.Words = nil
	if len(out.Token) == len(out.Tokens) {
		for _, x := range explain.Words(&explain.Explanation{Tokens: out.Tokens, Attributions: out.Token}) {
			text := prompt
			if x.Pair {
				text = answer
			}
			if x.Start < x.End && x.End <= len(text) {
				x.Text = views.ShownWord(string(text[x.Start:x.End]))
			}
			out.Words = append(out.Words, app.WordView{Text: x.Text, Start: x.Start, End: x.End, Attribution: x.Value})
		}
	}
	return &out
}
