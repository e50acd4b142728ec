package app

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// BatchResult is what a batch found. It holds as much as the rules of the one who asked
// let out of each prediction and explanation.
type BatchResult struct {
	Model    string         `json:"model"`
	Method   string         `json:"method,omitempty"`
	Purpose  string         `json:"purpose"`
	Total    BatchGroup     `json:"total"`
	Labels   []BatchGroup   `json:"labels,omitempty"` // by given label
	Slices   []BatchGroup   `json:"slices,omitempty"`
	Problems map[string]int `json:"problems,omitempty"` // rows that failed, by closed code
	Gate     map[string]int `json:"gate,omitempty"`     // explanations that fell short, by what followed
	// Confusion counts given × predicted labels, of the rows with a given label.
	Confusion   []BatchCell        `json:"confusion,omitempty"`
	Calibration []BatchCalibration `json:"calibration,omitempty"`
	// ECE is the expected calibration error over those ten bins (Guo et al. 2017).
	ECE *float64 `json:"ece,omitempty"`
}

// BatchGroup sums the rows of one label or slice, or of all.
type BatchGroup struct {
	Name       string  `json:"name"`
	Rows       int     `json:"rows"`
	Failed     int     `json:"failed"`
	Labelled   int     `json:"labelled"`
	Right      int     `json:"right"`
	Confidence float64 `json:"confidence"` // mean score of the predicted label
	Explained  int     `json:"explained"`
	// Tokens have the largest mean absolute attribution, at most 50 of Words.
	Tokens  []BatchToken  `json:"tokens,omitempty"`
	Words   int           `json:"words,omitempty"` // different ones
	Figures []BatchFigure `json:"figures,omitempty"`
}

// BatchToken is a word over all rows that hold it.
type BatchToken struct {
	Text    string  `json:"text"` // in lower case
	Rows    int     `json:"rows"`
	MeanAbs float64 `json:"mean_abs"`
	Mean    float64 `json:"mean"`
}

// BatchFigure is the distribution of one faithfulness figure.
type BatchFigure struct {
	ID      string  `json:"id"`
	Mode    string  `json:"mode,omitempty"`
	Higher  bool    `json:"higher"`
	Rows    int     `json:"rows"`
	Mean    float64 `json:"mean"`
	Control float64 `json:"control"` // mean of the same for random attributions
	Low     float64 `json:"p10"`
	Median  float64 `json:"p50"`
	High    float64 `json:"p90"`
	// Better is the share of the rows on which it beats random attributions at p < 0.05; absent where it is not tested.
	Better *float64 `json:"better,omitempty"`
}

// BatchCell is one cell of the confusion matrix.
type BatchCell struct {
	Label     string `json:"label"`
	Predicted string `json:"predicted"`
	Rows      int    `json:"rows"`
}

// BatchCalibration is one bin of scores.
type BatchCalibration struct {
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Rows       int     `json:"rows"`
	Confidence float64 `json:"confidence"`
	Accuracy   float64 `json:"accuracy"`
}

// batchTokens is how many words a group shows, maxBatchWords how many it keeps apart.
const (
	batchTokens   = 50
	maxBatchWords = 200_000
	maxGroups     = 200
)

// batchSums adds up a batch, row by row.
type batchSums struct {
	out       BatchResult
	total     *groupSum
	labels    map[string]*groupSum
	slices    map[string]*groupSum
	confusion map[[2]string]int
	bins      [10]BatchCalibration
}

type groupSum struct {
	BatchGroup
	words   map[string]*BatchToken
	figures map[[2]string]*figureSum
}

type figureSum struct {
	BatchFigure
	values         []float64
	tested, better int
}

func newBatchSums(x batchTask) *batchSums {
	s := &batchSums{total: newGroup("all"), labels: map[string]*groupSum{}, slices: map[string]*groupSum{}, confusion: map[[2]string]int{}}
	s.out = BatchResult{Model: x.Model, Purpose: x.Purpose, Problems: map[string]int{}, Gate: map[string]int{}}
	if x.Explain != nil {
		s.out.Method = x.Explain.Method
	}
	return s
}

func newGroup(name string) *groupSum {
	return &groupSum{BatchGroup: BatchGroup{Name: name}, words: map[string]*BatchToken{}, figures: map[[2]string]*figureSum{}}
}

// add adds one row; e is nil where there is no explanation.
func (s *batchSums) add(o batchOutcome, e *ExplanationView) {
	groups := []*groupSum{s.total}
	for _, of := range []struct {
		name string
		in   map[string]*groupSum
	}{{o.Label, s.labels}, {o.Slice, s.slices}} {
		if of.name == "" {
			continue
		}
		name := of.name
		if of.in[name] == nil && len(of.in) >= maxGroups {
			name = "…" // further ones together
		}
		if of.in[name] == nil {
			of.in[name] = newGroup(name)
		}
		groups = append(groups, of.in[name])
	}
	for _, g := range groups {
		g.add(o, e)
	}
	switch {
	case o.Problem != "":
		s.out.Problems[o.Problem]++
		return
	case e != nil && e.Gate != nil && !e.Gate.Passed:
		s.out.Gate[e.Gate.Action]++
	}
	if o.Label == "" || o.Predicted == "" {
		return
	}
	s.confusion[[2]string{o.Label, o.Predicted}]++
	b := &s.bins[min(9, max(0, int(o.Score*10)))]
	b.Rows++
	b.Confidence += o.Score
	if sameLabel(o.Label, o.Predicted) {
		b.Accuracy++
	}
}

// sameLabel compares as people write labels.
func sameLabel(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

func (g *groupSum) add(o batchOutcome, e *ExplanationView) {
	if g.Rows++; o.Problem != "" {
		g.Failed++
		return
	}
	g.Confidence += o.Score
	if o.Label != "" && o.Predicted != "" {
		if g.Labelled++; sameLabel(o.Label, o.Predicted) {
			g.Right++
		}
	}
	if e == nil || e.Gate.Held() {
		return
	}
	g.Explained++
	seen := map[string]float64{}
	for _, w := range e.Words {
		seen[strings.ToLower(strings.TrimSpace(w.Text))] += w.Attribution
	}
	for text, value := range seen {
		t := g.words[text]
		if t == nil {
			if text == "" || len(g.words) >= maxBatchWords {
				continue
			}
			t = &BatchToken{Text: text}
			g.words[text] = t
		}
		t.Rows++
		t.Mean += value
		t.MeanAbs += math.Abs(value)
	}
	for _, m := range e.Metrics {
		key := [2]string{m.ID, m.Mode}
		f := g.figures[key]
		if f == nil {
			f = &figureSum{BatchFigure: BatchFigure{ID: m.ID, Mode: m.Mode, Higher: m.Higher}}
			g.figures[key] = f
		}
		f.values = append(f.values, m.Value)
		f.Control += m.Control
		if m.P != nil {
			if f.tested++; *m.P < 0.05 {
				f.better++
			}
		}
	}
}

func (s *batchSums) result() *BatchResult {
	r := &s.out
	r.Total, r.Labels, r.Slices = s.total.group(), groupsOf(s.labels), groupsOf(s.slices)
	for key, n := range s.confusion {
		r.Confusion = append(r.Confusion, BatchCell{key[0], key[1], n})
	}
	slices.SortFunc(r.Confusion, func(a, b BatchCell) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Predicted, b.Predicted))
	})
	rows, ece := 0, 0.0
	for i, b := range s.bins {
		b.Low, b.High = float64(i)/10, float64(i+1)/10
		if b.Rows > 0 {
			ece += math.Abs(b.Accuracy - b.Confidence)
			b.Confidence /= float64(b.Rows)
			b.Accuracy /= float64(b.Rows)
		}
		rows += b.Rows
		r.Calibration = append(r.Calibration, b)
	}
	if rows == 0 {
		r.Calibration = nil
	} else {
		ece /= float64(rows)
		r.ECE = &ece
	}
	return r
}

func groupsOf(m map[string]*groupSum) (out []BatchGroup) {
	for _, g := range m {
		out = append(out, g.group())
	}
	slices.SortFunc(out, func(a, b BatchGroup) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (g *groupSum) group() BatchGroup {
	out := g.BatchGroup
	if n := out.Rows - out.Failed; n > 0 {
		out.Confidence /= float64(n)
	}
	out.Words = len(g.words)
	for _, t := range g.words {
		x := *t
		x.Mean /= float64(x.Rows)
		x.MeanAbs /= float64(x.Rows)
		out.Tokens = append(out.Tokens, x)
	}
	slices.SortFunc(out.Tokens, func(a, b BatchToken) int {
		return cmp.Or(cmp.Compare(b.MeanAbs, a.MeanAbs), cmp.Compare(a.Text, b.Text))
	})
	out.Tokens = out.Tokens[:min(len(out.Tokens), batchTokens)]
	for _, f := range g.figures {
		out.Figures = append(out.Figures, f.figure())
	}
	slices.SortFunc(out.Figures, func(a, b BatchFigure) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Mode, b.Mode)) })
	return out
}

func (f *figureSum) figure() BatchFigure {
	out := f.BatchFigure
	out.Rows = len(f.values)
	slices.Sort(f.values)
	for _, v := range f.values {
		out.Mean += v
	}
	out.Mean /= float64(out.Rows)
	out.Control /= float64(out.Rows)
	at := func(q float64) float64 { return f.values[int(math.Round(q*float64(out.Rows-1)))] }
	out.Low, out.Median, out.High = at(0.1), at(0.5), at(0.9)
	if f.tested > 0 {
		share := float64(f.better) / float64(f.tested)
		out.Better = &share
	}
	return out
}
