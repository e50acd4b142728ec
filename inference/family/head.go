package family

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// head turns the last hidden state into the output.
type head interface {
	// row names the one token position the head reads, if it reads only one.
	row() (int, bool)
	// add appends the head to x (B,T,D), or (B,1,D) holding just that row when lean.
	add(g *graph.Graph, x graph.ID, lean bool) (graph.ID, error)
}

// bertHead chooses the head by architecture and fills in task and labels.
func bertHead(s Source, c *bertConfig, l *nn.Loader, n *bert, act *op.Act, eps float64) (head, error) {
	d := &n.d
	count := max(c.NumLabels, len(c.ID2Label))
	if count == 0 {
		count = 2
	}
	if err := inRange("number of labels", count, 1, 1<<20); err != nil {
		return nil, err
	}
	names, err := labels(c.ID2Label, count)
	if err != nil {
		return nil, err
	}
	switch d.Architecture {
	case "BertForSequenceClassification":
		d.Task, d.Labels = "text-classification", names
		return poolerHead{l.Linear("pooler.dense", c.Hidden, c.Hidden), l.Linear("classifier", c.Hidden, count)}, nil
	case "BertForTokenClassification":
		d.Task, d.Labels = "token-classification", names
		return tokenHead{l.Linear("classifier", c.Hidden, count)}, nil
	case "BertForQuestionAnswering":
		d.Task = "question-answering"
		return spanHead{l.Linear("qa_outputs", c.Hidden, 2)}, nil
	case "BertForMaskedLM", "BertForPreTraining":
		d.Task = "fill-mask"
		return maskedHead(c, l, n, act, eps), nil
	case "BertModel":
		d.Task = "feature-extraction"
		return pooling(s, c.Hidden, &n.d)
	}
	return nil, fmt.Errorf("family: bert with the head %.60q: %w", d.Architecture, ErrUnsupported)
}

// poolerHead is tanh(W·h[CLS]) and a linear classifier.
type poolerHead struct{ pooler, classifier nn.Linear }

func (h poolerHead) row() (int, bool) { return 0, true }

func (h poolerHead) add(g *graph.Graph, x graph.ID, lean bool) (graph.ID, error) {
	cls := g.Add("select_row", &op.Row{Index: 0}, "", x)
	tanh, err := op.FindAct("tanh")
	if err != nil {
		return graph.None, err
	}
	pooled := op.AddAct(g, tanh, "pooler", h.pooler.Add(g, "", cls))
	g.Alias("bert.pooler", pooled)
	return h.classifier.Add(g, "", pooled), nil
}

// tokenHead classifies every token.
type tokenHead struct{ classifier nn.Linear }

func (h tokenHead) row() (int, bool) { return 0, false }

func (h tokenHead) add(g *graph.Graph, x graph.ID, _ bool) (graph.ID, error) {
	return h.classifier.Add(g, "", x), nil
}

// spanHead gives start and end logits: (B,2,T).
type spanHead struct{ outputs nn.Linear }

func (h spanHead) row() (int, bool) { return 0, false }

func (h spanHead) add(g *graph.Graph, x graph.ID, _ bool) (graph.ID, error) {
	return g.Add("transpose", &op.Transpose{Split: 1}, "", h.outputs.Add(g, "", x)), nil
}

// lmHead is dense, activation, LayerNorm and the decoder, tied to the word embeddings unless the file has its own.
type lmHead struct {
	transform nn.Linear
	act       *op.Act
	norm      *op.LayerNorm
	decoder   nn.Linear
}

func maskedHead(c *bertConfig, l *nn.Loader, n *bert, act *op.Act, eps float64) head {
	const p = "cls.predictions."
	h := lmHead{transform: l.Linear(p+"transform.dense", c.Hidden, c.Hidden), act: act, norm: l.Norm(p+"transform.LayerNorm", c.Hidden, eps)}
	bias := p + "bias"
	if !l.Has(bias) && l.Has(p+"decoder.bias") {
		bias = p + "decoder.bias"
	}
	h.decoder.Bias = l.Tensor(bias, c.Vocab)
	table := n.words.Data
	if tied := c.Tie == nil || *c.Tie; !tied || l.Has(p+"decoder.weight") {
		table = l.Tensor(p+"decoder.weight", c.Vocab, c.Hidden)
	}
	if l.Err() == nil {
		h.decoder.W = op.NewWeight(table, c.Hidden, c.Vocab)
	}
	return h
}

func (h lmHead) row() (int, bool) { return 0, false }

func (h lmHead) add(g *graph.Graph, x graph.ID, _ bool) (graph.ID, error) {
	y := op.AddAct(g, h.act, "", h.transform.Add(g, "", x))
	return h.decoder.Add(g, "", g.Add("layer_norm", h.norm, "", y)), nil
}

// poolHead makes one vector of a text as modules.json of sentence-transformers says; without one the output is the
// last hidden state.
type poolHead struct {
	mode      string // "", "mean" or "cls"
	normalize bool
}

func (h poolHead) row() (int, bool) { return 0, h.mode == "cls" }

func (h poolHead) add(g *graph.Graph, x graph.ID, _ bool) (graph.ID, error) {
	switch h.mode {
	case "mean":
		x = g.Add("mean", nil, "", x)
	case "cls":
		x = g.Add("select_row", &op.Row{Index: 0}, "", x)
	}
	if h.normalize {
		x = g.Add("normalize", &op.Normalize{Eps: 1e-12}, "", x)
	}
	return x, nil
}

// pooling reads modules.json, the pooling module's config and sentence_bert_config.json's length limit.
func pooling(s Source, hidden int, d *Description) (head, error) {
	var h poolHead
	var modules []struct{ Path, Type string }
	if found, err := optional(s.FS, "modules.json", &modules); !found {
		return h, err
	}
	for i, m := range modules {
		kind := m.Type[lastDot(m.Type)+1:]
		switch {
		case i == 0 && kind == "Transformer":
		case kind == "Pooling" && h.mode == "":
			if err := h.pool(s.FS, m.Path, hidden); err != nil {
				return nil, err
			}
		case kind == "Normalize" && h.mode != "":
			h.normalize = true
		default:
			return nil, fmt.Errorf("family: sentence-transformers module %.60q: %w", m.Type, ErrUnsupported)
		}
	}
	var limit struct {
		Max int `json:"max_seq_length"`
	}
	if _, err := optional(s.FS, "sentence_bert_config.json", &limit); err != nil {
		return nil, err
	}
	if limit.Max > 2 && limit.Max < d.MaxTokens {
		d.MaxTokens = limit.Max
	}
	return h, nil
}

func (h *poolHead) pool(fsys fs.FS, dir string, hidden int) error {
	if !fs.ValidPath(dir) {
		return fmt.Errorf("family: %w: module path %.60q", ErrConfig, dir)
	}
	var c map[string]any
	if found, err := optional(fsys, dir+"/config.json", &c); !found || err != nil {
		return fmt.Errorf("family: %w: %s/config.json: %v", ErrConfig, dir, err)
	}
	for key, mode := range map[string]string{"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"} {
		if on, _ := c[key].(bool); on {
			if h.mode != "" {
				return fmt.Errorf("family: two pooling modes at once: %w", ErrUnsupported)
			}
			h.mode = mode
		}
	}
	for key, v := range c {
		on, _ := v.(bool)
		known := key == "pooling_mode_mean_tokens" || key == "pooling_mode_cls_token" || key == "include_prompt"
		if on && !known {
			return fmt.Errorf("family: pooling option %.60q: %w", key, ErrUnsupported)
		}
	}
	if h.mode == "" {
		return fmt.Errorf("family: %w: the pooling module names no mode", ErrConfig)
	}
	return nil
}

// optional decodes a small JSON file; found is false where there is none.
func optional(fsys fs.FS, name string, v any) (found bool, err error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	const limit = 1 << 20
	if err := json.NewDecoder(io.LimitReader(f, limit)).Decode(v); err != nil {
		return false, fmt.Errorf("family: %w: %s: %v", ErrConfig, name, err)
	}
	return true, nil
}

func lastDot(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return i
		}
	}
	return -1
}
