package gallery

import (
	"math"
	"strconv"

	"github.com/a-h/templ"

	"vitrine/views"
	"vitrine/views/ui"
)

func init() {
	register("generate", func(s views.Shell) templ.Component { return views.GeneratePage(generate(s)) })
	register("generate-none", func(s views.Shell) templ.Component {
		return views.GeneratePage(views.Generate{Shell: as(s, "analyst", "playground")})
	})
	register("generate-translate", func(s views.Shell) templ.Component {
		m := generate(s)
		m.Chat, m.Reads, m.Modes, m.Turns, m.Prefix = false, true, nil, nil, "translate English to German: "
		m.Error, m.Hint = "the prompt and 64 tokens are longer than the 512 that the model holds", "shorten the prompt or ask for fewer tokens"
		return views.GeneratePage(m)
	})
	register("prediction-written", func(s views.Shell) templ.Component {
		m := explained(s)
		writtenState(&m, 5)
		return views.PredictionPage(m)
	})
	register("prediction-written-bare", func(s views.Shell) templ.Component {
		m := prediction(s)
		writtenState(&m, -1)
		m.Written.Words[3] = views.WrittenWord{Masked: true}
		m.Written.Finish, m.Written.Turns, m.Written.GoOn = "cut", nil, ""
		return views.PredictionPage(m)
	})
	register("prediction-written-nothing", func(s views.Shell) templ.Component {
		m := prediction(s)
		writtenState(&m, -1)
		m.Written.Words, m.Written.Text, m.Written.Finish = nil, "", "cut"
		return views.PredictionPage(m)
	})
}

func generate(s views.Shell) views.Generate {
	return views.Generate{
		Shell: as(s, "analyst", "playground"), Chat: true, Text: "And of Italy?",
		Models:   []views.Choice{{Value: "smollm2", Text: "smollm2@1.0.0", Selected: true}},
		Purposes: []views.Choice{{Value: "research", Text: "research", Selected: true}},
		Model:    &views.PlaygroundModel{Name: "smollm2", Version: "1.0.0", Task: "text-generation", MaxTokens: 8192, URL: "/models/smollm2"},
		Modes:    []ui.Option{{Text: "A message", URL: "/generate", Current: true}, {Text: "A text to go on from", URL: "/generate?mode=text"}},
		Turns:    []views.Turn{{Role: "user", Text: "What is the capital of France?"}, {Role: "assistant", Text: "The capital of France is Paris."}},
		Numbers:  []views.NumberField{{Name: "max_tokens", Value: "64", Min: "1", Max: "4096", Step: "1"}, {Name: "temperature", Value: "0.8", Min: "0", Max: "2", Step: "0.05"}},
		Methods:  methods(), Decision: allowed(),
		Curl: "curl https://vitrine.example.org/v1/chat/completions -H \"Authorization: Bearer $KEY\" -d @request.json",
	}
}

// writtenState makes the page one of a text that a model wrote.
func writtenState(m *views.Prediction, chosen int) {
	m.Classes, m.Targets, m.Task = nil, nil, "text-generation"
	w := &views.Written{Text: "The capital of France is Paris.", Finish: "eos", All: "?a=0#answer", GoOn: "/generate?from=x&go=1",
		Turns:    []views.Turn{{Role: "system", Text: "Answer in one sentence."}, {Role: "user", Text: "What is the capital of France? Write to [EMAIL_1]"}},
		Sampling: []views.NameValue{{Name: "temperature", Value: "0"}, {Name: "prompt", Value: "37"}}}
	for i, x := range []string{"The", " capital", " of", " France", " is", " Paris", ".", "\n"} {
		w.Words = append(w.Words, views.WrittenWord{Text: x, URL: "?w=" + strconv.Itoa(i) + "#answer", Probability: math.Pow(0.9, float64(i)), Known: true, Special: i == 7, Current: i == chosen})
	}
	if chosen >= 0 {
		w.Chosen = &views.ChosenWord{Number: chosen, Text: w.Words[chosen].Text, Probability: 0.951, Alternatives: []views.AlternativeWord{
			{ID: 7042, Text: " Paris", Probability: 0.951, Written: true}, {ID: 340, Text: " L", Probability: 0.009}, {ID: 9999, Text: "Paris", Probability: 0.003}}}
		m.Why.Target, m.Why.Quantity = "Paris", "logprob"
	}
	m.Written = w
}
