package explain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/gowebpki/jcs"

	"vitrine/inference"
)

// RecordContext is what the record needs and the explanation cannot know. Ids are opaque; nothing here may name a
// person.
type RecordContext struct {
	Workspace       string
	Prediction      string // id of the prediction that is explained
	Actor           string
	Purpose         string
	ModelName       string
	ModelVersion    string
	PolicyVersion   int64
	PolicyHash      string
	InputCommitment string
	Time            time.Time
	Gate            any // result of the faithfulness gate, nil where no gate ran
}

// RecordFormat names the shape of the record; it changes with any change of a field.
const RecordFormat = "vitrine-explanation/1"

type recordModel struct {
	Name            string                 `json:"name"`
	Version         string                 `json:"version"`
	Digest          string                 `json:"digest"`
	Files           []inference.FileDigest `json:"files"`
	TokenizerDigest string                 `json:"tokenizer_digest,omitempty"`
	Architecture    string                 `json:"architecture"`
	DType           string                 `json:"dtype"`
	Task            string                 `json:"task"`
}

type recordEngine struct {
	Version  string `json:"version"`
	CPULevel string `json:"cpu_level"`
}

// recordToken places a value without repeating the text: the record must not hold what a person wrote.
type recordToken struct {
	Start   int  `json:"start"`
	End     int  `json:"end"`
	Special bool `json:"special"`
	Pair    bool `json:"pair,omitempty"`
}

// record is everything that went into an explanation and came out of it (explanations.md §5). Floats are written
// so that reading them gives the same bits back.
type record struct {
	Format          string         `json:"format"`
	Workspace       string         `json:"workspace"`
	Prediction      string         `json:"prediction,omitempty"`
	Actor           string         `json:"actor"`
	Purpose         string         `json:"purpose"`
	PolicyVersion   int64          `json:"policy_version"`
	PolicyHash      string         `json:"policy_hash,omitempty"`
	InputCommitment string         `json:"input_commitment,omitempty"`
	Time            string         `json:"time"`
	Model           recordModel    `json:"model"`
	Engine          recordEngine   `json:"engine"`
	Method          string         `json:"method"`
	MethodVersion   string         `json:"method_version"`
	Params          map[string]any `json:"params"`
	Target          ExplTarget     `json:"target"`
	Layer           string         `json:"layer"`
	Reduction       string         `json:"reduction"`
	Baseline        string         `json:"baseline"`
	BaselineIDs     []int32        `json:"baseline_ids,omitempty"`
	Seed            string         `json:"seed"` // text: a JSON number holds 53 bits
	Draws           int            `json:"draws"`
	Output          float64        `json:"output"`
	BaselineOutput  float64        `json:"baseline_output"`
	Delta           float64        `json:"delta"`
	Gradients       int            `json:"gradients"`
	Forwards        int            `json:"forwards"`
	Tokens          []recordToken  `json:"tokens,omitempty"`
	Attributions    []float64      `json:"attributions,omitempty"`
	Map             [][]float64    `json:"map,omitempty"`
	Companion       *Companion     `json:"companion,omitempty"`
	Grid            *Grid          `json:"grid,omitempty"`
	Flips           []Flip         `json:"flips,omitempty"`
	Windows         []Window       `json:"windows,omitempty"`
	Metrics         []Metric       `json:"metrics"`
	Gate            any            `json:"gate,omitempty"`
	Warnings        []string       `json:"warnings,omitempty"`
}

// Seal fills Record with the canonical record (RFC 8785) and RecordHash with its SHA-256 in hex. The record holds
// no text: tokens are named by their characters, the input by its commitment.
func (e *Explanation) Seal(c RecordContext) error {
	raw, err := json.Marshal(e.record(c))
	if err != nil {
		return fmt.Errorf("explain: writing the record: %w", err)
	}
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return fmt.Errorf("explain: writing the record: %w", err)
	}
	hash := sha256.Sum256(canonical)
	e.Record, e.RecordHash = canonical, hex.EncodeToString(hash[:])
	return nil
}

func (e *Explanation) record(c RecordContext) record {
	r := record{
		Format: RecordFormat, Workspace: c.Workspace, Prediction: c.Prediction, Actor: c.Actor, Purpose: c.Purpose,
		PolicyVersion: c.PolicyVersion, PolicyHash: c.PolicyHash, InputCommitment: c.InputCommitment,
		Time: c.Time.UTC().Format(time.RFC3339Nano),
		Model: recordModel{Name: c.ModelName, Version: c.ModelVersion, Digest: e.Info.Digest, Files: e.Info.Files,
			TokenizerDigest: e.Info.TokenizerDigest, Architecture: e.Info.Architecture, DType: e.Info.DType, Task: e.Info.Task},
		Engine: recordEngine{inference.EngineVersion(), inference.CPULevel()},
		Method: e.Method, MethodVersion: e.Version, Params: e.Params, Target: e.Target,
		Layer: e.differentiated(), Reduction: e.reduction(), Baseline: e.Baseline, BaselineIDs: e.BaselineIDs,
		Seed: strconv.FormatUint(e.Seed, 10), Draws: e.Draws, Output: e.Output, BaselineOutput: e.BaselineOutput,
		Delta: e.Delta, Gradients: e.Gradients, Forwards: e.Forwards, Attributions: e.Attributions, Map: e.Rows(),
		Companion: e.Companion, Grid: e.Grid, Flips: e.Flips, Windows: e.Windows, Metrics: e.Metrics, Gate: c.Gate, Warnings: e.Warnings,
	}
	if e.Target.Words > 0 { // the label is what was written
		r.Target.Label = ""
	}
	for _, t := range e.Tokens {
		r.Tokens = append(r.Tokens, recordToken{t.Start, t.End, t.Special, t.Pair})
	}
	if r.Metrics == nil {
		r.Metrics = []Metric{}
	}
	return r
}

// Rows is the map of an image explanation as nested rows, nil for texts.
func (e *Explanation) Rows() [][]float64 {
	if e.Map == nil {
		return nil
	}
	h, w := e.Map.Shape[0], e.Map.Shape[1]
	rows := make([][]float64, h)
	for y := range rows {
		rows[y] = widen(e.Map.Data[y*w : (y+1)*w])
	}
	return rows
}

// differentiated names the layer that the values refer to.
func (e *Explanation) differentiated() string {
	switch {
	case e.Layer != "":
		return e.Layer
	case e.Info.Modality == "image":
		return e.Info.Taps.Pixels
	}
	if m, ok := Lookup(e.Method); ok && m.Family == "attention" {
		return "attentions"
	}
	return e.Info.Taps.Embeddings
}

// reduction names how values were reduced over the width of the embedding or the channels.
func (e *Explanation) reduction() string {
	if r := paramString(e.Params, "reduce"); r != "" {
		return r
	}
	return "sum"
}
