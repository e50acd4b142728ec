package family

import (
	"encoding/json"
	"fmt"

	"vitrine/inference/graph"
	"vitrine/inference/kernel"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// seq2seq is an encoder and a decoder that looks at its output. Letters: S decoder positions.
type seq2seq struct {
	d                Description
	encoder, decoder stack
	head             nn.Linear
	scale            float32 // of the last hidden state before the head
}

func (n *seq2seq) Describe() Description { return n.d }

// encoderTaps and decoderTaps name the values of the two stacks.
func encoderTaps(checkpoint string) stackTaps {
	return stackTaps{words: "embeddings.word", hidden: "encoder_hidden_states.", self: "encoder_attentions.", checkpoint: checkpoint}
}

func decoderTaps(checkpoint string) stackTaps {
	return stackTaps{words: "decoder_embeddings.word", hidden: "decoder_hidden_states.", self: "decoder_attentions.", cross: "cross_attentions.", checkpoint: checkpoint}
}

// describe fills in what follows from the layers; the config is read once more for what decides about the task and the start of an answer.
func (n *seq2seq) describe(s Source, d Description, task string) error {
	var c struct {
		Start  *int32                     `json:"decoder_start_token_id"`
		Params map[string]json.RawMessage `json:"task_specific_params"`
	}
	if err := decode(s.Config, &c); err != nil {
		return err
	}
	g, err := ReadGeneration(s)
	if err != nil {
		return err
	}
	if g.DecoderStart != nil {
		c.Start = g.DecoderStart
	}
	if c.Start == nil || *c.Start < 0 || int(*c.Start) >= d.Vocab {
		return fmt.Errorf("family: %w: no decoder_start_token_id within the vocabulary of %d", ErrConfig, d.Vocab)
	}
	if task == "" {
		task = "text2text-generation"
		if _, ok := c.Params["summarization"]; ok && len(c.Params) == 1 {
			task = "summarization"
		}
	}
	d.Modality, d.Task, d.Types, d.DecoderStart, d.Generation = "text", task, 1, *c.Start, g
	d.Layers, d.Heads = len(n.encoder.layers), n.encoder.layers[0].self.heads
	e, t := len(n.encoder.layers), len(n.decoder.layers)
	d.Taps = Taps{Embeddings: n.encoder.taps.words, Hidden: names(n.encoder.taps.hidden, e+1), Attentions: names(n.encoder.taps.self, e),
		DecoderEmbeddings: n.decoder.taps.words, DecoderHidden: names(n.decoder.taps.hidden, t+1),
		DecoderAttentions: names(n.decoder.taps.self, t), CrossAttentions: names(n.decoder.taps.cross, t)}
	n.d = d
	return nil
}

// Build makes the network over whole sequences; the output is the logits of the next token at each decoder position (B,S,V).
func (n *seq2seq) Build(s Shape, _ bool) (*Built, error) {
	if s.T > n.d.MaxTokens || s.S > n.d.MaxDecoder {
		return nil, fmt.Errorf("family: %d and %d tokens, the model takes %d and %d: %w", s.T, s.S, n.d.MaxTokens, n.d.MaxDecoder, ErrUnsupported)
	}
	g := graph.New()
	f := &flow{g: g}
	words, source := n.encoder.add(f, g.IntInput(FeedIDs, s.B, s.T), graph.None)
	_, x := n.decoder.add(f, g.IntInput(FeedDecoder, s.B, s.S), source)
	out := n.logits(g, x)
	g.Alias("logits", out)
	return &Built{G: g, Output: out, Words: words, Head: n.logits, Last: x}, g.Err()
}

func (n *seq2seq) logits(g *graph.Graph, x graph.ID) graph.ID {
	if n.scale != 1 {
		x = g.Add("scale", &op.Factor{By: n.scale}, "", x)
	}
	return n.head.Add(g, "", x)
}

// Cache is the shape of a position's keys and values, the decoder's and the encoder's alike.
func (n *seq2seq) Cache() Cache { return n.decoder.cache() }

// BuildStep makes the graph of a step of the decoder.
func (n *seq2seq) BuildStep(rows, read int, step *op.Step) (*Built, error) {
	g := graph.New()
	f := &flow{g: g, step: step, positions: g.IntInput(FeedPositions, 1, rows)}
	words, x := n.decoder.add(f, g.IntInput(FeedIDs, 1, rows), graph.None)
	out := n.logits(g, g.Add("take_rows", nil, "", x, g.IntInput(FeedRows, read)))
	return &Built{G: g, Output: out, Words: words}, g.Err()
}

// BuildSource makes the graph of the encoder and of what each decoder layer keeps of it.
func (n *seq2seq) BuildSource(t int) (g *graph.Graph, keys, values []graph.ID, err error) {
	if t > n.d.MaxTokens {
		return nil, nil, nil, fmt.Errorf("family: %d tokens, the model takes %d: %w", t, n.d.MaxTokens, ErrUnsupported)
	}
	g = graph.New()
	_, source := n.encoder.add(&flow{g: g}, g.IntInput(FeedIDs, 1, t), graph.None)
	for i := range n.decoder.layers {
		c := n.decoder.layers[i].cross
		keys, values = append(keys, c.k.Add(g, "", source)), append(values, c.v.Add(g, "", source))
	}
	return g, keys, values, g.Err()
}

// sinusoids are fixed positions (Vaswani et al. 2017): D/2 sines, then their cosines, of the position plus first times base^(-i/steps).
func sinusoids(count, d, first, steps int) *op.Positions {
	f := kernel.Powers(1e4, steps, d/2)
	p := &op.Positions{Table: op.Table{Rows: count, D: d, Data: make([]float32, count*d)}}
	for i := range count {
		row := p.Data[i*d : (i+1)*d]
		kernel.SinCos(row[:d/2], row[d/2:], first+i, f)
	}
	return p
}
