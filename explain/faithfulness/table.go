// Package faithfulness measures the explanation methods of a model over a data set: every figure of every method with its
// random control, so that methods can be compared on the model that they are meant for.
//
// A table is a function of model, data, draws and seed: the same bytes on every machine and for any number of workers.
package faithfulness

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"vitrine/explain"
)

// Format names the shape of a table; it changes with any change of a field.
const Format = "vitrine-faithfulness/1"

// ErrTable: the bytes are no table that this program reads.
var ErrTable = errors.New("not a usable faithfulness table")

// Table is what Measure gives.
type Table struct {
	Format string `json:"format"`
	Model  string `json:"model"`
	Digest string `json:"digest"` // of the model
	Engine string `json:"engine"` // version of the engine that computed it
	Data   string `json:"data"`   // name of the data set
	Inputs int    `json:"inputs"` // how many of it were explained, evenly spread
	Of     int    `json:"of"`     // how many it holds
	Right  int    `json:"right"`  // explained inputs whose predicted label is the one that people gave
	Draws  int    `json:"draws"`  // random attributions that each figure was compared with
	Seed   uint64 `json:"seed"`
	// Methods are sorted by id; Refused are those that do not suit the model, each with its reason.
	Methods   []Row     `json:"methods"`
	Refused   []Refusal `json:"refused,omitempty"`
	Agreement Agreement `json:"agreement"`
}

// Row is one method. Gradients and Forwards are means of what one explanation asks of the model, figures included.
type Row struct {
	Method    string  `json:"method"`
	Version   string  `json:"version"`
	Family    string  `json:"family"`
	Inputs    int     `json:"inputs"`           // explained; the others failed
	Failed    string  `json:"failed,omitempty"` // why the first of them failed
	Gradients float64 `json:"gradients"`
	Forwards  float64 `json:"forwards"`
	// Within33 is the share of explanations whose values took at most 33 gradients; nil for methods that take none.
	Within33 *float64        `json:"within_33,omitempty"`
	Figures  []Figure        `json:"figures"`
	Sanity   *explain.Sanity `json:"sanity,omitempty"` // the randomisation check, where it was made
}

// Figure is one faithfulness figure, averaged over the inputs. Low and High bound the mean, GainLow and GainHigh the mean gain:
// 95 % bootstrap intervals over the inputs.
type Figure struct {
	ID      string  `json:"id"`
	Mode    string  `json:"mode,omitempty"`
	Higher  bool    `json:"higher"` // higher is better
	Inputs  int     `json:"inputs"`
	Mean    float64 `json:"mean"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Control float64 `json:"control"` // the same for random attributions
	// Gain is how much better than its control the figure is: positive is better whichever way the figure counts.
	Gain     float64 `json:"gain"`
	GainLow  float64 `json:"gain_low"`
	GainHigh float64 `json:"gain_high"`
	Share    float64 `json:"share"` // of the inputs on which the figure is better than its control
}

// Better says that the figure is better than random attributions beyond what the choice of inputs could explain.
func (f Figure) Better() bool { return f.GainLow > 0 }

// Refusal is a method that does not suit the model.
type Refusal struct {
	Method string `json:"method"`
	Reason string `json:"reason"`
}

// Agreement compares the methods pair by pair: means over the inputs, rows and columns in the order of Methods.
type Agreement struct {
	Methods []string    `json:"methods"`
	Tau     [][]float64 `json:"tau"`  // Kendall's tau-b
	Top     [][]float64 `json:"top"`  // overlap (Jaccard) of the five largest absolute values
	Sign    [][]float64 `json:"sign"` // share of units with the same sign; means something for pairs of signed methods only
}

// Figure finds a method's figure; mode "" takes the first.
func (r Row) Figure(id, mode string) (Figure, bool) {
	for _, f := range r.Figures {
		if f.ID == id && (mode == "" || f.Mode == mode) {
			return f, true
		}
	}
	return Figure{}, false
}

//go:embed table
var tables embed.FS

// Shipped finds the committed table of a model by the model's digest; false where none was made for these very weights.
func Shipped(digest string) (*Table, bool) {
	for _, t := range All() {
		if t.Digest == digest {
			return t, true
		}
	}
	return nil, false
}

// All lists the committed tables, sorted by model.
func All() []*Table {
	names, err := fs.Glob(tables, "table/*.json")
	if err != nil {
		panic("faithfulness: the pattern of the tables is not valid")
	}
	var out []*Table
	for _, name := range names {
		raw, err := tables.ReadFile(name)
		if err != nil {
			panic("faithfulness: embedded tables are unreadable")
		}
		t, err := Read(raw)
		if err != nil {
			panic("faithfulness: " + name + ": " + err.Error())
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *Table) int { return cmp.Compare(a.Model, b.Model) })
	return out
}

// maxTable bounds a table that is read.
const maxTable = 64 << 20

// Read reads a table's JSON. Errors wrap ErrTable.
func Read(raw []byte) (*Table, error) {
	if len(raw) > maxTable {
		return nil, fmt.Errorf("faithfulness: a table of %d bytes: %w", len(raw), ErrTable)
	}
	var t Table
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("faithfulness: reading a table: %v: %w", err, ErrTable)
	}
	if t.Format != Format {
		return nil, fmt.Errorf("faithfulness: format %.40q, this program reads %s: %w", t.Format, Format, ErrTable)
	}
	a := t.Agreement
	for _, m := range [][][]float64{a.Tau, a.Top, a.Sign} {
		if len(m) != len(a.Methods) || slices.ContainsFunc(m, func(row []float64) bool { return len(row) != len(a.Methods) }) {
			return nil, fmt.Errorf("faithfulness: the agreement of %d methods is no square: %w", len(a.Methods), ErrTable)
		}
	}
	return &t, nil
}
