package app

import (
	"context"
	"errors"
	"slices"

	"vitrine/explain"
	"vitrine/explain/metric"
	"vitrine/policy/identity"
)

// ComparisonView holds the explanations of one prediction side by side: methods × figures,
// how far each pair of methods agrees, and where they do not.
type ComparisonView struct {
	Prediction string           `json:"prediction"`
	Target     string           `json:"target"`
	Methods    []ComparedMethod `json:"methods"`
	Tau        [][]float64      `json:"tau"`  // Kendall's tau-b, rows and columns in the order of Methods
	Top        [][]float64      `json:"top"`  // Jaccard overlap of the five largest absolute values
	Sign       [][]float64      `json:"sign"` // share of units with the same sign
	// Units are the parts that were explained, of texts the words: each method's value as a
	// share of its largest, in the order of Methods.
	Units []ComparedUnit `json:"units,omitempty"`
	// Withheld counts explanations of the target that the reader may not see, or not whole.
	Withheld int `json:"withheld"`
	// Other counts explanations of another target: they are not comparable.
	Other int `json:"other"`
}

// ComparedMethod is one explanation.
type ComparedMethod struct {
	Method      string       `json:"method"`
	Explanation string       `json:"explanation"`
	Signed      bool         `json:"signed"`
	Metrics     []MetricView `json:"metrics"`
}

// ComparedUnit is one word. Differs: two signed methods give it different signs although it
// is among the five strongest of one of them, or it is among the five of some only.
type ComparedUnit struct {
	Text    string    `json:"text"`
	Values  []float64 `json:"values"`
	Differs bool      `json:"differs"`
}

// comparedTop is the number of largest values whose overlap is given.
const comparedTop = 5

// Compare holds the explanations of a prediction side by side, the newest of each method,
// as far as the reader may see them whole: rounded values and signs are not compared. target
// "" takes the target of the newest.
//
// Errors: [*Denied]; ErrNotFound.
func (a *App) Compare(ctx context.Context, c identity.Caller, id, target string) (*ComparisonView, error) {
	p, err := a.Prediction(ctx, c, id)
	if err != nil {
		return nil, err
	}
	v := &ComparisonView{Prediction: p.ID, Target: target, Withheld: p.ExplanationsWithheld, Methods: []ComparedMethod{}}
	var values [][]float64
	var words [][]WordView
	seen := map[string]bool{}
	for i := len(p.Explanations) - 1; i >= 0; i-- {
		b := p.Explanations[i]
		if v.Target == "" {
			v.Target = b.Target
		}
		if b.Target != v.Target {
			v.Other++
			continue
		}
		if seen[b.Method] {
			continue
		}
		e, err := a.Explanation(ctx, c, b.ID)
		var refused *Denied
		if errors.As(err, &refused) {
			v.Withheld++
			continue
		}
		if err != nil {
			return nil, err
		}
		units := explain.Units(&explain.Explanation{Tokens: e.Tokens, Attributions: e.Token, Map: e.Map, ImageHeight: p.Input.Height, ImageWidth: p.Input.Width})
		if len(e.Withheld) > 0 || len(units) == 0 {
			v.Withheld++
			continue
		}
		seen[b.Method] = true
		v.Methods = append(v.Methods, ComparedMethod{Method: e.Method, Explanation: e.ID, Signed: e.Signed, Metrics: e.Metrics})
		values, words = append(values, units), append(words, e.Words)
	}
	v.agreement(values)
	v.units(words)
	return v, nil
}

// agreement compares each pair of methods; a pair that explains other units is 0.
func (v *ComparisonView) agreement(values [][]float64) {
	n := len(values)
	for _, m := range []*[][]float64{&v.Tau, &v.Top, &v.Sign} {
		*m = make([][]float64, n)
		for i := range *m {
			(*m)[i] = make([]float64, n)
		}
	}
	for i := range n {
		for j := range n {
			if x, y := values[i], values[j]; len(x) == len(y) {
				v.Tau[i][j], v.Top[i][j], v.Sign[i][j] = metric.Kendall(x, y), metric.TopOverlap(x, y, comparedTop), metric.SignAgreement(x, y)
			}
		}
	}
}

// units lists the words with every method's value. Methods that cut the text into other
// words are left out of it by leaving the list empty.
func (v *ComparisonView) units(words [][]WordView) {
	if len(words) == 0 || slices.ContainsFunc(words, func(w []WordView) bool { return len(w) != len(words[0]) }) {
		return
	}
	top := make([][]bool, len(words))
	scale := make([]float64, len(words))
	for m, list := range words {
		size := make([]float64, len(list))
		for i, w := range list {
			size[i] = max(w.Attribution, -w.Attribution)
			scale[m] = max(scale[m], size[i])
		}
		top[m] = make([]bool, len(list))
		for _, i := range metric.Order(size)[:min(comparedTop, len(list))] {
			top[m][i] = true
		}
	}
	for i := range words[0] {
		u := ComparedUnit{Text: words[0][i].Text}
		inTop, up, down := 0, false, false
		for m := range words {
			x := words[m][i].Attribution
			if top[m][i] {
				inTop++
			}
			if v.Methods[m].Signed {
				up, down = up || x > 0, down || x < 0
			}
			if scale[m] > 0 {
				x /= scale[m]
			}
			u.Values = append(u.Values, x)
		}
		u.Differs = inTop > 0 && (inTop < len(words) || up && down)
		v.Units = append(v.Units, u)
	}
}
