package app

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	slashpath "path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a data set.
const (
	maxBatchRows  = 10_000
	maxBatchData  = 64 << 20
	maxBatchLine  = 4 << 20
	maxBatchWhole = 512 << 20 // of a ZIP, unpacked
	maxBatchName  = 200       // bytes of a label, a slice, a person's name
)

// batchInput is one row of a data set.
type batchInput struct {
	Text    *string `json:"text"`
	Pair    *string `json:"pair"`
	Image   []byte  `json:"image"`
	Label   string  `json:"label"`
	Slice   string  `json:"slice"`
	Subject string  `json:"subject"`
}

func (r batchInput) modality() string {
	if len(r.Image) > 0 {
		return "image"
	}
	return "text"
}

// readBatch reads a data set. Errors wrap ErrInput and name the row.
func readBatch(format string, data []byte) (rows []batchInput, err error) {
	if len(data) > maxBatchData {
		return nil, fail(ErrInput, "split it", "the data set has %d bytes, at most %d are read", len(data), maxBatchData)
	}
	switch format {
	case "jsonl":
		rows, err = readJSONL(data)
	case "csv":
		rows, err = readCSV(data)
	case "zip":
		rows, err = readZIP(data)
	default:
		return nil, fail(ErrInput, "use jsonl, csv or zip", "%q is not a format of data sets", clip(format))
	}
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fail(ErrInput, "send at least one row", "the data set is empty")
	}
	for i, r := range rows {
		if r.Text == nil && len(r.Image) == 0 {
			return nil, rowError(i, "it has neither a text nor an image")
		}
		for _, s := range []string{r.Label, r.Slice, r.Subject} {
			if len(s) > maxBatchName || !utf8.ValidString(s) {
				return nil, rowError(i, "label, slice and subject are UTF-8 of at most 200 bytes each")
			}
		}
	}
	return rows, nil
}

func rowError(i int, why string) error {
	return fail(ErrInput, "correct the row and send the data set again", "row %d of the data set: %s", i+1, why)
}

func readJSONL(data []byte) (rows []batchInput, err error) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxBatchLine)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if len(rows) == maxBatchRows {
			return nil, tooManyRows()
		}
		// Further members are the data set's own business.
		var r batchInput
		if err := json.Unmarshal(line, &r); err != nil || !utf8.Valid(line) {
			return nil, rowError(len(rows), `it is not JSON like {"text": "…", "label": "…"}`)
		}
		rows = append(rows, r)
	}
	if lines.Err() != nil {
		return nil, rowError(len(rows), "the line is longer than 4 MB")
	}
	return rows, nil
}

func tooManyRows() error {
	return fail(ErrInput, "split it", "the data set has more than %d rows", maxBatchRows)
}

func readCSV(data []byte) (rows []batchInput, err error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	head, err := r.Read()
	if err != nil {
		return nil, fail(ErrInput, "begin with the line text,label", "the data set has no header")
	}
	at := func(name string) int {
		return slices.IndexFunc(head, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) })
	}
	text, pair, label, slice, subject := at("text"), at("pair"), at("label"), at("slice"), at("subject")
	if text < 0 {
		return nil, fail(ErrInput, "begin with the line text,label", "the header of the data set names no column text")
	}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, rowError(len(rows), "it is not a row of comma-separated values with as many fields as the header")
		}
		if len(rows) == maxBatchRows {
			return nil, tooManyRows()
		}
		field := func(i int) string {
			if i < 0 {
				return ""
			}
			return fields[i]
		}
		row := batchInput{Text: &fields[text], Label: field(label), Slice: field(slice), Subject: field(subject)}
		if pair >= 0 {
			row.Pair = &fields[pair]
		}
		rows = append(rows, row)
	}
}

// readZIP takes every PNG and JPEG file; the folder that it lies in is its label. Other
// files are left alone.
func readZIP(data []byte) (rows []batchInput, err error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fail(ErrInput, "send a ZIP of PNG or JPEG files", "the data set is not a ZIP file")
	}
	whole := 0
	for _, f := range z.File {
		switch strings.ToLower(slashpath.Ext(f.Name)) {
		case ".png", ".jpg", ".jpeg":
		default:
			continue
		}
		if strings.HasPrefix(slashpath.Base(f.Name), ".") || strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		if len(rows) == maxBatchRows {
			return nil, tooManyRows()
		}
		r, err := f.Open()
		if err != nil {
			return nil, rowError(len(rows), "the file in the ZIP cannot be opened")
		}
		picture, err := io.ReadAll(io.LimitReader(r, maxImage+1))
		r.Close()
		if whole += len(picture); err != nil || len(picture) > maxImage || whole > maxBatchWhole {
			return nil, rowError(len(rows), "the file in the ZIP is damaged, larger than 32 MB, or all of them are larger than 512 MB")
		}
		row := batchInput{Image: picture}
		if dir := slashpath.Base(slashpath.Dir(slashpath.Clean("/" + f.Name))); dir != "/" {
			row.Label = dir
		}
		rows = append(rows, row)
	}
	return rows, nil
}
