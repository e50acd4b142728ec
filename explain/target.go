package explain

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"vitrine/inference"
)

// targetParams are the parameters of every method that explains a scalar of a classifier.
func targetParams() []Param {
	return []Param{
		{Name: "quantity", Type: "enum", Default: "logit", Enum: []string{"logit", "logprob", "prob", "diff"}, Help: "explain.param.quantity"},
		{Name: "contrast", Type: "string", Default: "", Help: "explain.param.contrast"},
	}
}

// differentiable is the condition of the gradient family.
func differentiable(info inference.Info) error {
	if info.Modality == "image" && info.Taps.Pixels == "" || info.Modality != "image" && info.Taps.Embeddings == "" {
		return fmt.Errorf("explain: %s gives no gradient with respect to its input: %w", info.Name, ErrUnsuitable)
	}
	return nil
}

// class finds a class by label (exact, then ignoring case) or by index.
func class(info inference.Info, name string) (int, error) {
	for i, l := range info.Labels {
		if l == name {
			return i, nil
		}
	}
	for i, l := range info.Labels {
		if strings.EqualFold(l, name) {
			return i, nil
		}
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(info.Labels) {
		return i, nil
	}
	const shown = 20
	list := strings.Join(info.Labels[:min(shown, len(info.Labels))], ", ")
	if len(info.Labels) > shown {
		list += ", …"
	}
	if r := []rune(name); len(r) > 60 {
		name = string(r[:60]) + "…"
	}
	return 0, fmt.Errorf("explain: %q is neither a label of %s nor an index from 0 to %d (labels: %s): %w",
		name, info.Name, len(info.Labels)-1, list, ErrTarget)
}

// choice is the target with its labels: what is fixed before a path starts.
type choice struct {
	target inference.Target
	shown  ExplTarget
	window int // token classification: the only window that is explained; -1 = all
}

// chooseTarget settles target and quantity. outputs holds each window's logits: (C), or (T,C) for token tasks.
func chooseTarget(info inference.Info, ws []window, want string, params map[string]any) (choice, error) {
	quantity := paramString(params, "quantity")
	contrast := paramString(params, "contrast")
	if quantity == "diff" && contrast == "" {
		return choice{}, fmt.Errorf("explain: parameter contrast: quantity diff needs the label to compare with: %w", ErrParam)
	}
	if quantity != "diff" && contrast != "" {
		return choice{}, fmt.Errorf("explain: parameter contrast: is used by quantity diff only: %w", ErrParam)
	}
	c := choice{window: -1, shown: ExplTarget{Quantity: quantity}}
	c.target.Quantity = quantity
	var err error
	switch info.Task {
	case "token-classification":
		err = c.chooseToken(info, ws, want)
	case "feature-extraction":
		err = c.chooseDimension(info, ws, want)
	default:
		err = c.chooseClass(info, ws, want)
	}
	if err != nil {
		return choice{}, err
	}
	if quantity == "diff" {
		minus, err := class(info, contrast)
		if err != nil {
			return choice{}, err
		}
		if minus == c.shown.Index {
			return choice{}, fmt.Errorf("explain: parameter contrast: %q is the explained class itself: %w", contrast, ErrParam)
		}
		c.shown.Minus = &minus
		c.target.Minus = []int{minus}
		if c.shown.Token != nil {
			c.target.Minus = []int{c.target.Index[0], minus}
		}
	}
	c.shown.Label = label(info, c.shown.Index)
	return c, nil
}

// chooseDimension settles the dimension of an embedding: the one with the largest absolute value unless one is named.
// A checkpoint without pooling gives one vector a token; the first one, which sequence classifiers read, is explained.
func (c *choice) chooseDimension(info inference.Info, ws []window, want string) error {
	if c.target.Quantity != "logit" {
		return fmt.Errorf("explain: parameter quantity: %s needs classes, %s gives an embedding; use logit, which is the value itself: %w", c.target.Quantity, info.Name, ErrParam)
	}
	values := ws[0].logits
	if n := len(ws[0].shape); n == 2 {
		values = values[:ws[0].shape[1]]
		c.target.Index = []int{0}
	}
	if len(values) == 0 {
		return fmt.Errorf("explain: %s gave no embedding: %w", info.Name, ErrUnsuitable)
	}
	best := 0
	for i, v := range values {
		if math.Abs(float64(v)) > math.Abs(float64(values[best])) {
			best = i
		}
	}
	if want != "" {
		var err error
		if best, err = strconv.Atoi(want); err != nil || best < 0 || best >= len(values) {
			return fmt.Errorf("explain: target %q: %s gives %d dimensions, name one from 0 to %d: %w", clip(want), info.Name, len(values), len(values)-1, ErrTarget)
		}
	}
	c.target.Index, c.shown.Index = append(c.target.Index, best), best
	return nil
}

func label(info inference.Info, index int) string {
	if index < len(info.Labels) {
		return info.Labels[index]
	}
	return strconv.Itoa(index)
}

func (c *choice) chooseClass(info inference.Info, ws []window, want string) error {
	n := len(ws[0].logits)
	if n == 0 {
		return fmt.Errorf("explain: %s gave no logits: %w", info.Name, ErrUnsuitable)
	}
	best := 0
	if want == "" {
		logits := make([]float64, n)
		for _, w := range ws {
			for i, v := range w.logits {
				logits[i] += float64(w.weight * float64(v))
			}
		}
		best = argmax(logits)
	} else {
		var err error
		if best, err = class(info, want); err != nil {
			return err
		}
	}
	if best >= n {
		return fmt.Errorf("explain: class %d: %s has %d outputs: %w", best, info.Name, n, ErrTarget)
	}
	c.target.Index, c.shown.Index = []int{best}, best
	return nil
}

// chooseToken settles the position and class of token classification. Without a wish it is the position that is
// surest to be something other than "O".
func (c *choice) chooseToken(info inference.Info, ws []window, want string) error {
	classes := len(info.Labels)
	if classes == 0 || len(ws[0].logits) != classes*len(ws[0].in.Example.IDs) {
		return fmt.Errorf("explain: %s gave no logits per token: %w", info.Name, ErrUnsuitable)
	}
	if want != "" {
		return c.parseToken(info, ws, want)
	}
	best, bestMargin := -1, math.Inf(-1)
	for k, w := range ws {
		for t, tok := range w.in.Tokens {
			if tok.Special {
				continue
			}
			row := w.logits[t*classes : (t+1)*classes]
			top, margin := margins(info.Labels, row)
			if margin > bestMargin {
				bestMargin, best = margin, top
				c.window, c.target.Index = k, []int{t, top}
				position := w.position[t]
				c.shown.Index, c.shown.Token = top, &position
			}
		}
	}
	if best < 0 {
		return fmt.Errorf("explain: the text has no token to explain: %w", ErrTarget)
	}
	return nil
}

// margins gives the best class of a row other than "O" and how far its logit lies above all others.
func margins(labels []string, row []float32) (best int, margin float64) {
	best = -1
	for i, v := range row {
		if labels[i] != "O" && (best < 0 || v > row[best]) {
			best = i
		}
	}
	if best < 0 {
		best = 0
	}
	margin = math.Inf(1)
	for i, v := range row {
		if i != best {
			margin = min(margin, float64(row[best])-float64(v))
		}
	}
	return best, margin
}

func (c *choice) parseToken(info inference.Info, ws []window, want string) error {
	pos, name, ok := strings.Cut(want, ":")
	token, err := strconv.Atoi(pos)
	if !ok || err != nil || token < 0 {
		return fmt.Errorf("explain: target %q: token classification needs POSITION:LABEL, such as 3:%s: %w", clip(want), info.Labels[len(info.Labels)-1], ErrTarget)
	}
	index, err := class(info, name)
	if err != nil {
		return err
	}
	// of the windows that hold the token, the one in which it lies farthest from the edges
	room := -1
	for k, w := range ws {
		for t, p := range w.position {
			if edge := min(t, len(w.position)-1-t); p == token && edge > room {
				room, c.window, c.target.Index = edge, k, []int{t, index}
			}
		}
	}
	if room < 0 {
		return fmt.Errorf("explain: target %q: the text has no token %d: %w", clip(want), token, ErrTarget)
	}
	c.shown.Index, c.shown.Token = index, &token
	return nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func argmax(values []float64) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}
