package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"vitrine/inference"
)

// game is the coalition game that perturbation methods play: players are groups of units (tokens or pixels), a set of
// players is worth F of the input with every other player's units at the baseline. Units of no group stay as they are.
type game struct {
	p          *Problem
	groups     [][]int
	units      int
	embeddings []float32
	worth      map[string]float64 // by set: an equal set runs once
}

// newGame settles the groups. most is the largest number of players that the method takes: automatic grouping keeps
// below it where it can, and more are refused.
func (p *Problem) newGame(ctx context.Context, most int, advice string) (*game, error) {
	g := &game{p: p, units: len(p.Example.IDs), worth: map[string]float64{}}
	if p.image() {
		g.units = p.Example.Shape[1] * p.Example.Shape[2]
	}
	g.groups = p.groups(most)
	switch n := len(g.groups); {
	case n == 0:
		return nil, fmt.Errorf("explain: the input holds special tokens only, there is nothing to divide: %w", ErrUnsuitable)
	case n > most:
		return nil, fmt.Errorf("explain: %d groups, at most %d can be computed here: %s: %w", n, most, advice, ErrUnsuitable)
	}
	var err error
	g.embeddings, err = p.mixEmbeddings(ctx)
	return g, err
}

// values gives the worth of each set; true is present.
func (g *game) values(ctx context.Context, sets [][]bool) ([]float64, error) {
	keys := make([]string, len(sets))
	var fresh []int
	for i, set := range sets {
		keys[i] = setKey(set)
		if _, ok := g.worth[keys[i]]; !ok {
			g.worth[keys[i]] = 0
			fresh = append(fresh, i)
		}
	}
	for chunk := range slices.Chunk(fresh, g.p.chunk()) {
		batch := make([]inference.Example, len(chunk))
		for k, i := range chunk {
			batch[k] = g.example(sets[i])
		}
		values, err := g.p.values(ctx, batch)
		if err != nil {
			return nil, err
		}
		for k, i := range chunk {
			g.worth[keys[i]] = values[k]
		}
	}
	out := make([]float64, len(sets))
	for i, k := range keys {
		out[i] = g.worth[k]
	}
	return out, nil
}

func (g *game) example(set []bool) inference.Example {
	var gone []int
	for k, present := range set {
		if !present {
			gone = append(gone, g.groups[k]...)
		}
	}
	if len(gone) == 0 {
		return g.p.Example
	}
	x, _ := g.p.masked(mask{gone, allChannels}, g.embeddings)
	return x
}

func setKey(set []bool) string {
	var b strings.Builder
	for _, v := range set {
		b.WriteByte('0' + byte(btoi(v)))
	}
	return b.String()
}

func btoi(v bool) int {
	if v {
		return 1
	}
	return 0
}

// all and none are the full and the empty coalition.
func (g *game) all() []bool  { return slices.Repeat([]bool{true}, len(g.groups)) }
func (g *game) none() []bool { return make([]bool, len(g.groups)) }

// ends gives the worth of the full and of the empty coalition.
func (g *game) ends(ctx context.Context) (full, empty float64, err error) {
	v, err := g.values(ctx, [][]bool{g.all(), g.none()})
	if err != nil {
		return 0, 0, err
	}
	return v[0], v[1], nil
}

// attribution divides each group's share evenly among its units, which keeps the sum.
func (g *game) attribution(shares []float64, full, empty float64) *Attribution {
	a := &Attribution{Values: make([]float64, g.units), Shape: []int{g.units}, Groups: shares, Output: full, BaselineOutput: empty}
	if g.p.image() {
		a.Shape = g.p.Example.Shape[1:]
	}
	flat := true
	for k, group := range g.groups {
		flat = flat && shares[k] == 0
		for _, u := range group {
			a.Values[u] = shares[k] / float64(len(group))
		}
	}
	if flat {
		a.Warnings = append(a.Warnings, WarnFlat)
	}
	return a
}

// groupParams choose the players: subwords, words or sentences of a text, square patches of a picture.
func groupParams(grid int) []Param {
	return []Param{
		{Name: "group", Type: "enum", Default: "auto", Enum: []string{"auto", "token", "word", "sentence"}, Help: "explain.param.group"},
		{Name: "grid", Type: "int", Default: grid, Min: bound(1), Max: bound(64), Help: "explain.param.grid"},
	}
}

// groups are the players. Automatic grouping of a text takes the finest of subwords, words and sentences with at most
// the given number of groups.
func (p *Problem) groups(most int) [][]int {
	if p.Given != nil && p.Given.Groups != nil {
		return p.Given.Groups
	}
	if p.image() {
		return gridGroups(p.Example.Shape[1], p.Example.Shape[2], paramInt(p.Params, "grid"))
	}
	how := paramString(p.Params, "group")
	for _, kind := range []string{"token", "word", "sentence"} {
		if how != kind && how != "auto" {
			continue
		}
		groups := tokenGroups(p.Tokens, kind)
		if how == kind || len(groups) <= most || kind == "sentence" {
			p.Params["group"] = kind
			return groups
		}
	}
	return nil
}

// tokenGroups groups the non-special tokens: one a group, by word, or by sentence (up to a word that ends with a full
// stop, question or exclamation mark).
func tokenGroups(tokens []inference.Token, kind string) [][]int {
	var out [][]int
	previous, ended := -1, true
	for t, tok := range tokens {
		if tok.Special {
			previous, ended = -1, true
			continue
		}
		joined := false
		switch kind {
		case "word":
			joined = previous >= 0 && continues(tokens[previous], tok)
		case "sentence":
			joined = !ended
		}
		if joined {
			out[len(out)-1] = append(out[len(out)-1], t)
		} else {
			out = append(out, []int{t})
		}
		previous, ended = t, strings.ContainsAny(tok.Text, ".!?。！？")
	}
	return out
}

// continues says whether b belongs to the word of a: both have one word number, or where the tokenizer counts none (-1)
// b continues a with "##".
func continues(a, b inference.Token) bool {
	return a.Pair == b.Pair && (b.Word >= 0 && b.Word == a.Word || b.Word < 0 && strings.HasPrefix(b.Text, "##") && b.Start == a.End)
}

// gridGroups cuts a picture into square patches, about grid along the shorter side.
func gridGroups(height, width, grid int) [][]int {
	size := (min(height, width) + grid - 1) / max(1, grid)
	if min(height, width) == 1 { // a row of features
		size = 1
	}
	var out [][]int
	for top := 0; top < height; top += size {
		for left := 0; left < width; left += size {
			out = append(out, cover(top, size, height, left, size, width))
		}
	}
	return out
}

// players is the expected number of groups, for a cost known before the input is.
func players(info inference.Info, tokens, most int, params map[string]any) int {
	if info.Modality == "image" {
		grid := max(1, paramInt(params, "grid"))
		size := max(1, (min(info.ImageHeight, info.ImageWidth)+grid-1)/grid)
		return min(most, max(1, (info.ImageHeight+size-1)/size*((info.ImageWidth+size-1)/size)))
	}
	n := max(1, tokens-2)
	if paramString(params, "group") == "sentence" {
		n = max(1, n/20)
	}
	return min(n, most)
}

func budgetParam(standard int) Param {
	return Param{Name: "budget", Type: "int", Default: standard, Min: bound(4), Max: bound(65536), Help: "explain.param.budget"}
}
