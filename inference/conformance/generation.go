package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitrine/inference"
	"vitrine/inference/generate"
)

// settings are a generation case's options, as transformers names them.
type settings struct {
	MaxNew     int     `json:"max_new_tokens"`
	MinNew     int     `json:"min_new_tokens"`
	EOS        idList  `json:"eos_token_id"`
	ForcedBOS  idList  `json:"forced_bos_token_id"`
	Repetition float64 `json:"repetition_penalty"`
	NoRepeat   int     `json:"no_repeat_ngram_size"`
	Beams      int     `json:"num_beams"`
	Return     int     `json:"num_return_sequences"`
	Penalty    float64 `json:"length_penalty"`
	Early      bool    `json:"early_stopping"`
	Sample     bool    `json:"do_sample"`
}

// idList is one id or several.
type idList []int32

// UnmarshalJSON reads a number or a list.
func (l *idList) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[]int32)(l))
	}
	var one int32
	err := json.Unmarshal(raw, &one)
	*l = idList{one}
	return err
}

// generates runs the kinds of cases that only generating models have; false for other kinds.
func (m *family) generates(ctx context.Context, name string, c *familyCase) (bool, error) {
	switch {
	case c.Generation != nil:
		return true, m.generation(ctx, name, c)
	case c.Input["continuation_ids"] != nil:
		return true, m.forced(ctx, name, c)
	case slices.Contains(c.Expect, "min_p_0.1"):
		return true, m.warpers(ctx, name, c)
	}
	return false, nil
}

// prompt is what example b gives the generator.
func (m *family) prompt(e example) generate.Prompt {
	if m.info.Taps.DecoderHidden == nil {
		return generate.Prompt{IDs: e.IDs}
	}
	return generate.Prompt{Source: e.IDs}
}

func (m *family) generation(ctx context.Context, name string, c *familyCase) error {
	var s settings
	decoder := json.NewDecoder(strings.NewReader(string(c.Generation)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return fmt.Errorf("generation settings: %w", err)
	}
	if s.Sample {
		return fmt.Errorf("sampled text of another library's random numbers: %w", inference.ErrUnsupported)
	}
	own := m.model.Defaults()
	o := generate.Options{MaxNew: s.MaxNew, MinNew: s.MinNew, EOS: s.EOS, ForcedFirst: s.ForcedBOS, ForcedLast: own.ForcedLast, BadWords: own.BadWords,
		Repetition: s.Repetition, NoRepeat: s.NoRepeat, Beams: s.Beams, Return: s.Return, Penalty: s.Penalty, Early: s.Early}
	if o.EOS == nil {
		o.EOS = own.EOS
	}
	examples, err := c.ids()
	if err != nil {
		return err
	}
	want, err := expected(m.tensors, c.Name+"/sequences")
	if err != nil {
		return err
	}
	var got [][]int32
	var scores []float64
	for _, e := range examples {
		list, err := m.model.Continue(ctx, m.prompt(e), o, nil)
		if err != nil {
			return err
		}
		for i := range list {
			got, scores = append(got, list[i].IDs()), append(scores, list[i].Score)
		}
	}
	m.emit(m.sequences(name, c, examples, got, want, o.EOS))
	if slices.Contains(c.Expect, "sequences_scores") {
		want, err := expected(m.tensors, c.Name+"/sequences_scores")
		if err != nil {
			return err
		}
		m.emit(Values(name, "sequences_scores", scores, want.data, c.Float32["sequences_scores"]))
	}
	return m.steps(ctx, name, c, examples[0], got[0], o)
}

// sequences compares ids behind the prompt; what follows an end id in the expected is padding.
func (m *family) sequences(name string, c *familyCase, examples []example, got [][]int32, want tensor, eos []int32) Comparison {
	start := 1 // the decoder's own start
	if m.info.Taps.DecoderHidden == nil {
		var rows [][]int32
		if err := json.Unmarshal(c.Input["input_ids"], &rows); err != nil {
			return failed(name, "sequences", err)
		}
		start = len(rows[0])
	}
	n := want.shape[1]
	var have, sure []int32
	for i, g := range got {
		if i >= want.shape[0] {
			return failed(name, "sequences", fmt.Errorf("%d sequences instead of %d", len(got), want.shape[0]))
		}
		row := integers(want.data[i*n+start : (i+1)*n])
		if end := slices.IndexFunc(row, func(id int32) bool { return slices.Contains(eos, id) }); end >= 0 {
			row = row[:end+1]
		}
		have, sure = append(append(have, g...), -1), append(append(sure, row...), -1)
	}
	return Exactly(name, "sequences", have, sure)
}

// steps compares the logits of each step, before the rules (step_logits) or after them (step_scores), by running over the text once more.
func (m *family) steps(ctx context.Context, name string, c *familyCase, e example, ids []int32, o generate.Options) error {
	what := "step_logits"
	if slices.Contains(c.Expect, "step_scores") {
		what = "step_scores"
	} else if !slices.Contains(c.Expect, what) {
		return nil
	}
	want, err := expected(m.tensors, c.Name+"/"+what)
	if err != nil {
		return err
	}
	var got []float64
	watch := o
	var written []int32
	watch.Allow = func(_ []int32, x []float32) {
		y := slices.Clone(x)
		if what == "step_scores" {
			watch.Rules(y, slices.Concat(m.seen(e), written), len(written))
		}
		got = append(got, floats(y)...)
	}
	if _, err := m.model.Continue(ctx, m.prompt(e), watch, func(t generate.Token) error { written = append(written, t.ID); return nil }); err != nil {
		return err
	}
	m.emit(Values(name, what, got, want.data, c.Float32[what]))
	return nil
}

// seen is what stands before the first new id.
func (m *family) seen(e example) []int32 {
	if m.info.Taps.DecoderHidden == nil {
		return e.IDs
	}
	return []int32{m.model.Defaults().Start}
}

func (m *family) forced(ctx context.Context, name string, c *familyCase) error {
	var rows [][]int32
	if err := json.Unmarshal(c.Input["continuation_ids"], &rows); err != nil {
		return fmt.Errorf("input continuation_ids: %w", err)
	}
	want, err := expected(m.tensors, c.Name+"/token_logprobs")
	if err != nil {
		return err
	}
	var ids [][]int32
	if err := json.Unmarshal(c.Input["input_ids"], &ids); err != nil {
		return fmt.Errorf("input_ids: %w", err)
	}
	var got []float64
	for b, row := range rows {
		tokens, err := m.model.Score(ctx, m.prompt(example{Example: inference.Example{IDs: ids[b]}}), row, 0, 0)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			got = append(got, t.LogProb)
		}
	}
	m.emit(Values(name, "token_logprobs", got, want.data, c.Float32["token_logprobs"]))
	return nil
}

// warpers applies each filter to the expected logits, so that one difference is not reported twice; a removed token is -Inf on both sides. The reference
// gives the float64 logits no error of their own here: the folder's largest for logits holds.
func (m *family) warpers(ctx context.Context, name string, c *familyCase) error {
	examples, err := c.ids()
	if err != nil {
		return err
	}
	logits, err := expected(m.tensors, c.Name+"/logits")
	if err != nil {
		return err
	}
	r, err := m.model.Run(ctx, []inference.Example{examples[0].Example}, inference.RunSpec{})
	if err != nil {
		return err
	}
	last := r[0].Output.Data[len(r[0].Output.Data)-len(logits.data):]
	m.emit(Values(name, "logits", floats(last), logits.data, m.logitsError))
	for _, what := range c.Expect {
		if what == "logits" {
			continue
		}
		want, err := expected(m.tensors, c.Name+"/"+what)
		if err != nil {
			return err
		}
		x := make([]float32, len(logits.data))
		for i, v := range logits.data {
			x[i] = float32(v)
		}
		o, err := warper(what)
		if err != nil {
			return err
		}
		o.Warp(x)
		m.emit(Values(name, what, floats(x), want.data, 0))
	}
	return nil
}

// warper reads a filter's name: temperature_0.7, or several joined.
func warper(what string) (generate.Options, error) {
	var o generate.Options
	for what != "" {
		found := false
		for prefix, set := range map[string]func(float64){"temperature_": func(v float64) { o.Temperature = v }, "top_k_": func(v float64) { o.TopK = int(v) },
			"top_p_": func(v float64) { o.TopP = v }, "min_p_": func(v float64) { o.MinP = v }, "typical_p_": func(v float64) { o.TypicalP = v }} {
			rest, ok := strings.CutPrefix(what, prefix)
			if !ok {
				continue
			}
			number, next, _ := strings.Cut(rest, "_")
			v, err := strconv.ParseFloat(number, 64)
			if err != nil {
				return o, err
			}
			set(v)
			what, found = next, true
		}
		if !found {
			return o, errors.New("unknown filter " + what)
		}
	}
	return o, nil
}
