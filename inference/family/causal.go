package family

import (
	"fmt"

	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/op"
)

// Feed names of generating networks: decoder ids beside the encoder's, and the rows of a step.
const (
	FeedDecoder   = "decoder_input_ids"
	FeedPositions = "positions"
	FeedRows      = "rows read"
)

// Cache is the shape of what one position of a sequence remembers.
type Cache struct{ Layers, Heads, Width int }

// Generator is a network that continues a sequence of ids.
type Generator interface {
	Network
	Cache() Cache
	// BuildStep makes the graph of a step of n rows, of which the logits of read are read (their numbers are fed under FeedRows): (1,read,V). The
	// rows' ids and positions are fed; step names their sequences.
	BuildStep(n, read int, step *op.Step) (*Built, error)
	// BuildSource makes the graph of an encoder over t ids whose outputs are each decoder layer's keys and values (1,T,D) of them; nil for networks
	// without an encoder.
	BuildSource(t int) (g *graph.Graph, keys, values []graph.ID, err error)
}

// causal is a decoder-only language model.
type causal struct {
	d    Description
	body stack
	head nn.Linear
	cap  float32 // soft cap of the logits, 0 for none
}

func (n *causal) Describe() Description { return n.d }

// describe fills in what follows from the layers, and the checkpoint's own words about generation.
func (n *causal) describe(s Source, d Description) error {
	var err error
	if d.Generation, err = ReadGeneration(s); err != nil {
		return err
	}
	d.Modality, d.Task, d.Types = "text", "text-generation", 1
	t := n.body.taps
	d.Taps.Embeddings = t.words
	d.Taps.Hidden = names(t.hidden, len(n.body.layers)+1)
	d.Taps.Attentions = names(t.self, len(n.body.layers))
	d.Taps.Attended, d.Taps.Fed, d.Taps.Residual = names(t.attended, len(n.body.layers)), names(t.fed, len(n.body.layers)), t.residual
	n.d = d
	return nil
}

// causalTaps names the values of a decoder-only model.
func causalTaps(checkpoint, words string) stackTaps {
	return stackTaps{words: "embeddings.word", hidden: "hidden_states.", self: "attentions.", cross: "cross_attentions.", checkpoint: checkpoint, wordsModule: words,
		attended: "attention_outputs.", fed: "mlp_outputs.", residual: "residual"}
}

// Build makes the network over whole sequences; the output is the logits of the next token at each position (B,T,V).
func (n *causal) Build(s Shape, _ bool) (*Built, error) {
	if s.T > n.d.MaxTokens {
		return nil, fmt.Errorf("family: %d tokens, the model takes %d: %w", s.T, n.d.MaxTokens, ErrUnsupported)
	}
	g := graph.New()
	words, x := n.body.add(&flow{g: g}, g.IntInput(FeedIDs, s.B, s.T), graph.None)
	out := n.logits(g, x)
	g.Alias("logits", out)
	return &Built{G: g, Output: out, Words: words, Head: n.logits, Last: x}, g.Err()
}

func (n *causal) logits(g *graph.Graph, x graph.ID) graph.ID {
	out := n.head.Add(g, "", x)
	if n.cap > 0 {
		out = g.Add("soft_cap", &op.SoftCap{Scale: 1, Cap: n.cap}, "", out)
	}
	return out
}

// Cache is the shape of a position's keys and values.
func (n *causal) Cache() Cache { return n.body.cache() }

func (s *stack) cache() Cache {
	a := &s.layers[0].self
	return Cache{Layers: len(s.layers), Heads: a.kv, Width: a.width}
}

// BuildStep makes the graph of a step.
func (n *causal) BuildStep(rows, read int, step *op.Step) (*Built, error) {
	g := graph.New()
	f := &flow{g: g, step: step, positions: g.IntInput(FeedPositions, 1, rows)}
	words, x := n.body.add(f, g.IntInput(FeedIDs, 1, rows), graph.None)
	out := n.logits(g, g.Add("take_rows", nil, "", x, g.IntInput(FeedRows, read)))
	return &Built{G: g, Output: out, Words: words}, g.Err()
}

// BuildSource is nil: there is no encoder.
func (n *causal) BuildSource(int) (*graph.Graph, []graph.ID, []graph.ID, error) {
	return nil, nil, nil, nil
}

// headOf is the output layer: the file's own, or the word embeddings where the two are tied.
func headOf(l *nn.Loader, name string, words *op.Table) nn.Linear {
	if words.Tied != nil {
		return nn.Linear{Name: name, W: words.Tied}
	}
	return l.Project(name, words.D, words.Rows, false)
}
