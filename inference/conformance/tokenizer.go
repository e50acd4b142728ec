package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"vitrine/inference/tokenizer"
)

func init() {
	Register(Group{Name: "tokenizer", Match: func(f Folder) bool { return f.Cases == nil }, Run: runTokenizer})
}

// tokenizerRow is one line of cases.jsonl.
type tokenizerRow struct {
	Text        string    `json:"text"`
	Pair        *string   `json:"pair"`
	Special     bool      `json:"add_special_tokens"`
	IDs         []int32   `json:"ids"`
	Tokens      []string  `json:"tokens"`
	Offsets     *[][2]int `json:"offsets"`
	TypeIDs     []int32   `json:"type_ids"`
	Decoded     string    `json:"decoded"`
	DecodedSkip string    `json:"decoded_skip_special"`
	AsFile      bool      `json:"truncation_and_padding"`
	Target      bool      `json:"as_target"`
	Mask        []int32   `json:"attention_mask"`
}

// maxLine bounds one line of cases.jsonl.
const maxLine = 16 << 20

// tokenizerWhats are the values compared, in the order in which they are shown.
var tokenizerWhats = []string{"ids", "tokens", "offsets", "type_ids", "attention_mask", "decoded", "decoded_skip_special"}

// runTokenizer gives one comparison a value over all rows: Largest counts the
// rows that differ.
func runTokenizer(ctx context.Context, f Folder, emit func(Comparison)) error {
	tok, err := tokenizer.Load(f.FS)
	if errors.Is(err, tokenizer.ErrUnsupported) {
		emit(unsupported(f.Path, "tokenizer", err.Error()))
		return nil
	} else if err != nil {
		emit(failed(f.Path, "tokenizer", err))
		return nil
	}
	file, err := f.FS.Open("cases.jsonl")
	if err != nil {
		return err
	}
	defer file.Close()
	wrong := map[string][]int{}
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	rows := 0
	for ; lines.Scan(); rows++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		var r tokenizerRow
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("row %d of cases.jsonl: %w", rows+1, err)
		}
		for what, same := range compareRow(tok, r) {
			seen[what] = true
			if !same {
				wrong[what] = append(wrong[what], rows+1)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for _, what := range tokenizerWhats {
		if !seen[what] {
			continue
		}
		c := Comparison{Name: f.Path, What: what, Largest: float64(len(wrong[what])), Status: OK}
		if rows := wrong[what]; len(rows) > 0 {
			c.Status, c.Why = Fail, fmt.Sprintf("row %d is the first of %d that differ", rows[0], len(rows))
		}
		emit(c)
	}
	return nil
}

// compareRow says of each value that the row holds whether it is the same.
func compareRow(tok tokenizer.Tokenizer, r tokenizerRow) map[string]bool {
	var e tokenizer.Encoding
	var err error
	same := map[string]bool{"ids": false, "tokens": false}
	if r.AsFile {
		whole, ok := tok.(tokenizer.FileEncoder)
		if !ok {
			return same
		}
		var mask []int32
		e, mask, err = whole.EncodeAsFile(r.Text, r.Pair, r.Special)
		same["attention_mask"] = err == nil && slices.Equal(mask, r.Mask)
	} else if r.Target {
		other, ok := tok.(tokenizer.TargetEncoder)
		if !ok {
			return same
		}
		e, err = other.EncodeTarget(r.Text, r.Special)
	} else {
		e, err = tok.Encode(r.Text, r.Pair, r.Special)
	}
	if err != nil {
		return same
	}
	var ids, types []int32
	var texts []string
	var offsets [][2]int
	for _, t := range e.Tokens {
		ids, types, texts, offsets = append(ids, t.ID), append(types, t.Type), append(texts, t.Text), append(offsets, [2]int{t.Start, t.End})
	}
	same["ids"], same["tokens"] = slices.Equal(ids, r.IDs), slices.Equal(texts, r.Tokens)
	if r.Offsets != nil {
		same["offsets"] = slices.Equal(offsets, *r.Offsets)
	}
	if r.TypeIDs != nil {
		same["type_ids"] = slices.Equal(types, r.TypeIDs)
	}
	same["decoded"] = tok.Decode(r.IDs, false) == r.Decoded
	same["decoded_skip_special"] = tok.Decode(r.IDs, true) == r.DecodedSkip
	return same
}
