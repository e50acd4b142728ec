package task

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// token-classification finds spans: each token gets its best class, and neighbours of one kind become one entity, a B-
// starting a new one (the reference pipeline's "simple" aggregation). Where windows overlap, a token counts in the
// window that shows it with the most context on its shorter side.
func init() { register(Task{Name: "token-classification", Modality: "text", Finish: findEntities}) }

type taggedToken struct {
	Token
	class int
	score float32
	room  int
}

func findEntities(c *Context) (*Answer, error) {
	all := bestTags(c)
	a := &Answer{}
	var group []taggedToken
	for _, t := range all {
		begin, kind := splitTag(c.Labels[t.class])
		if len(group) > 0 {
			last := group[len(group)-1]
			_, old := splitTag(c.Labels[last.class])
			if old == kind && !begin && last.Pair == t.Pair {
				group = append(group, t)
				continue
			}
		}
		a.Entities = appendEntity(a.Entities, c, group)
		group = append(group[:0:0], t)
	}
	a.Entities = appendEntity(a.Entities, c, group)
	return a, nil
}

// bestTags gives every token of the input its class, in order.
func bestTags(c *Context) []taggedToken {
	best := map[int]taggedToken{}
	for _, w := range c.Windows {
		k := w.Shape[1]
		for i, t := range w.Tokens {
			if t.Special {
				continue
			}
			tag := taggedToken{Token: t, room: min(i, len(w.Tokens)-1-i)}
			if old, ok := best[t.Index]; ok && old.room >= tag.room {
				continue
			}
			for j, v := range scores(w.Output[i*k:(i+1)*k], false) {
				if v > tag.score {
					tag.class, tag.score = j, v
				}
			}
			best[t.Index] = tag
		}
	}
	all := make([]taggedToken, 0, len(best))
	for _, t := range best {
		all = append(all, t)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Index < all[j].Index })
	return all
}

// splitTag reads B-X, I-X or a bare X.
func splitTag(label string) (begin bool, kind string) {
	if strings.HasPrefix(label, "B-") {
		return true, label[2:]
	}
	return false, strings.TrimPrefix(label, "I-")
}

func appendEntity(list []Entity, c *Context, group []taggedToken) []Entity {
	if len(group) == 0 {
		return list
	}
	_, kind := splitTag(c.Labels[group[0].class])
	if kind == "O" {
		return list
	}
	sum := 0.0
	for _, t := range group {
		sum += float64(t.score)
	}
	first, last := group[0], group[len(group)-1]
	text := c.Text
	if first.Pair && c.Pair != nil {
		text = *c.Pair
	}
	return append(list, Entity{Label: kind, Score: sum / float64(len(group)), Start: first.Start, End: last.End, Index: first.Index,
		Text: characters(text, first.Start, last.End)})
}

// characters cuts s[start:end] counted in code points.
func characters(s string, start, end int) string {
	begin, n := -1, 0
	for i := range s {
		if n == start {
			begin = i
		}
		if n == end {
			return s[max(begin, 0):i]
		}
		n++
	}
	if begin < 0 || end > utf8.RuneCountInString(s) {
		return ""
	}
	return s[begin:]
}
