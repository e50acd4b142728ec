// Package family builds the graphs of published model families from their config and weights; one file each.
package family

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"vitrine/inference/graph"
	"vitrine/inference/weights"
)

var (
	// ErrConfig: config.json is broken or out of range.
	ErrConfig = errors.New("config not usable")
	// ErrUnsupported: a family, head or option that is not run; the message names it.
	ErrUnsupported = errors.New("not supported")
)

// Taps are the names of a network's inner values; see inference.Taps.
type Taps struct {
	Embeddings string
	Hidden     []string
	Attentions []string
	Features   []string
	Pixels     string
	// The decoder's own, of an encoder-decoder; the names above are then the encoder's.
	DecoderEmbeddings                                 string
	DecoderHidden, DecoderAttentions, CrossAttentions []string
	// Of a decoder-only model: what each layer's blocks add to the residual sum, and the sum that the last norm reads.
	Attended, Fed []string
	Residual      string
}

// Description is what a network says of itself.
type Description struct {
	Family, Architecture, Task, Modality    string
	Labels                                  []string
	MultiLabel                              bool // independent classes (sigmoid)
	Layers, Heads, Hidden, MaxTokens, Vocab int
	Types                                   int // token types
	ImageChannels                           int
	Taps                                    Taps
	MaxDecoder                              int   // decoder positions, 0 for networks without an encoder and a decoder
	DecoderStart                            int32 // the id that an answer starts with
	Generation                              *Generation
}

// Shape is the shape of one batch: B examples of T tokens, with S decoder tokens where there is a decoder, or B images.
type Shape struct{ B, T, S, C, H, W int }

// Built is a network's graph for one shape.
type Built struct {
	G      *graph.Graph
	Output graph.ID // (B, ...)
	Words  graph.ID // word-embedding output, graph.None for images
	// Head appends what turns rows of the value Last (B,T,D) into rows of the output; nil where that is not row by row.
	Head func(g *graph.Graph, x graph.ID) graph.ID
	Last graph.ID
	// Layers are the values that enter the layers, beside the hidden states that are taps: where a reverse pass starts to
	// compute again.
	Layers []graph.ID
	// Aside marks values that can be read, but that the output does not come from: of a lean graph, or before a normalisation
	// that is folded into weights.
	Aside map[graph.ID]bool
	// ChannelsLast marks taps stored (B,H,W,C) that callers see as (C,H,W).
	ChannelsLast map[graph.ID]bool
}

// Feed names of the graphs' inputs.
const (
	FeedIDs    = "input_ids"
	FeedTypes  = "token_type_ids"
	FeedPixels = "pixels"
)

// Network is a loaded family member, immutable and safe for concurrent use.
type Network interface {
	Describe() Description
	// Build makes the graph for a shape. A lean graph computes of the last layer only what the output reads, and
	// has no taps there.
	Build(s Shape, lean bool) (*Built, error)
}

// Source is what a family is loaded from.
type Source struct {
	Config  []byte // config.json
	FS      fs.FS
	Weights *weights.File
}

// Family loads checkpoints of one model_type.
type Family struct {
	Name string // model_type of config.json
	Load func(Source) (Network, error)
}

var registry = map[string]Family{}

func register(f Family) {
	if f.Name == "" || f.Load == nil || registry[f.Name].Load != nil {
		panic("family: incomplete or registered twice: " + f.Name)
	}
	registry[f.Name] = f
}

// Names lists the families, sorted.
func Names() []string {
	var out []string
	for n := range registry {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Load finds the family by config.json's model_type and loads the checkpoint.
func Load(s Source) (Network, error) {
	var c struct {
		ModelType    string `json:"model_type"`
		Architecture string `json:"architecture"` // plain chains of layers name it instead
	}
	if err := decode(s.Config, &c); err != nil {
		return nil, err
	}
	if c.ModelType == "" {
		c.ModelType = strings.ToLower(c.Architecture)
	}
	f, ok := registry[c.ModelType]
	if !ok {
		return nil, fmt.Errorf("family: model_type %.60q: %w; this engine runs %s", c.ModelType, ErrUnsupported, strings.Join(Names(), ", "))
	}
	return f.Load(s)
}

func decode(raw []byte, v any) error {
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(v); err != nil {
		return fmt.Errorf("family: %w: config.json: %v", ErrConfig, err)
	}
	return nil
}

// labels orders id2label; without one there are n labels LABEL_0...
func labels(id2label map[string]string, n int) ([]string, error) {
	if len(id2label) == 0 {
		out := make([]string, n)
		for i := range out {
			out[i] = "LABEL_" + strconv.Itoa(i)
		}
		return out, nil
	}
	out := make([]string, len(id2label))
	for k, v := range id2label {
		i, err := strconv.Atoi(k)
		if err != nil || i < 0 || i >= len(out) || out[i] != "" || v == "" {
			return nil, fmt.Errorf("family: %w: id2label has the key %.20q among %d labels", ErrConfig, k, len(out))
		}
		out[i] = v
	}
	return out, nil
}

// independent tells whether classes are scored one by one (sigmoid): where the config says so, and for a single class, as
// the reference pipelines do.
func independent(problem string, labels int) bool {
	return problem == "multi_label_classification" || labels == 1
}

// inRange checks config numbers: name, value, lowest, highest.
func inRange(name string, v, lo, hi int) error {
	if v < lo || v > hi {
		return fmt.Errorf("family: %w: %s is %d, expected %d to %d", ErrConfig, name, v, lo, hi)
	}
	return nil
}

func one(list []string, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	return list[0]
}
