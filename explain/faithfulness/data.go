package faithfulness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"io/fs"

	"vitrine/inference"
)

// Limits of a data set.
const (
	maxRows = 100_000
	maxLine = 1 << 20
	maxFile = 64 << 20
)

// Rows reads JSON lines: {"text": ..., "pair": ..., "label": ...}, or {"image": FILE, "label": ...} with a file of pictures. A text
// may have "rationale": [[FROM, TO], ...], the characters that decided it for those who labelled it. Other keys are left alone. Errors wrap inference.ErrInput and name the line.
func Rows(r io.Reader, pictures fs.FS) ([]Input, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var out []Input
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if len(out) == maxRows {
			return nil, fmt.Errorf("faithfulness: more than %d rows: %w", maxRows, inference.ErrInput)
		}
		var row struct {
			Text, Image, Label string
			Pair               *string
			Rationale          [][2]int
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("faithfulness: line %d is no JSON object with text or image: %w", n, inference.ErrInput)
		}
		in := Input{In: inference.Input{Text: row.Text, Pair: row.Pair}, Label: row.Label, Rationale: row.Rationale}
		switch {
		case (row.Text == "") == (row.Image == ""):
			return nil, fmt.Errorf("faithfulness: line %d needs either text or image: %w", n, inference.ErrInput)
		case row.Image != "":
			raw, err := picture(pictures, row.Image)
			if err != nil {
				return nil, fmt.Errorf("faithfulness: line %d: %w", n, err)
			}
			in.In = inference.Input{Image: raw}
		}
		out = append(out, in)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("faithfulness: reading rows (a line may have %d bytes): %w: %w", maxLine, err, inference.ErrInput)
	}
	return out, nil
}

// picture reads a file beside the rows; it cannot leave the folder.
func picture(fsys fs.FS, name string) ([]byte, error) {
	if fsys == nil || !fs.ValidPath(name) {
		return nil, fmt.Errorf("the picture's name is no path inside the data's folder: %w", inference.ErrInput)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the picture: %w: %w", err, inference.ErrInput)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the picture: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("a picture of more than %d MiB: %w", maxFile>>20, inference.ErrInput)
	}
	return raw, nil
}

// Evaluation reads the evaluation data that a model's folder ships: eval.jsonl, or eval/index.json with one picture of all tiles.
// Errors wrap fs.ErrNotExist where it ships none.
func Evaluation(fsys fs.FS) ([]Input, error) {
	raw, err := fs.ReadFile(fsys, "eval.jsonl")
	if err == nil {
		return Rows(bytes.NewReader(raw), fsys)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("faithfulness: reading eval.jsonl: %w", err)
	}
	if raw, err = fs.ReadFile(fsys, "eval/index.json"); err != nil {
		return nil, fmt.Errorf("faithfulness: the folder has neither eval.jsonl nor eval/index.json: %w", err)
	}
	return tiles(fsys, raw)
}

// tiles cuts a picture of tiles, row by row.
func tiles(fsys fs.FS, raw []byte) ([]Input, error) {
	var index struct {
		Image   string
		Tile    [2]int
		Columns int
		Labels  []string
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("faithfulness: reading eval/index.json: %w", err)
	}
	file, err := picture(fsys, "eval/"+index.Image)
	if err != nil {
		return nil, fmt.Errorf("faithfulness: eval/index.json: %w", err)
	}
	whole, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("faithfulness: decoding eval/%s: %w: %w", index.Image, err, inference.ErrInput)
	}
	w, h, columns := index.Tile[0], index.Tile[1], index.Columns
	if w < 1 || h < 1 || columns < 1 || len(index.Labels) > maxRows {
		return nil, fmt.Errorf("faithfulness: eval/index.json: %d tiles of %dx%d in %d columns: %w", len(index.Labels), w, h, columns, inference.ErrInput)
	}
	var out []Input
	for i, label := range index.Labels {
		at := image.Rect(i%columns*w, i/columns*h, (i%columns+1)*w, (i/columns+1)*h).Add(whole.Bounds().Min)
		if !at.In(whole.Bounds()) {
			return nil, fmt.Errorf("faithfulness: eval/index.json: tile %d lies outside the picture: %w", i, inference.ErrInput)
		}
		one := image.NewGray(image.Rect(0, 0, w, h))
		draw.Draw(one, one.Bounds(), whole, at.Min, draw.Src)
		var b bytes.Buffer
		if err := png.Encode(&b, one); err != nil {
			return nil, fmt.Errorf("faithfulness: writing tile %d: %w", i, err)
		}
		out = append(out, Input{In: inference.Input{Image: b.Bytes()}, Label: label})
	}
	return out, nil
}
