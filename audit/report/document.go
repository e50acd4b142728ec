package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Document is what any report says, without a word of any language: keys of the
// catalogues with their values, facts, tables and data as it is. Renderers turn one
// Document into a page, a PDF or JSON; what they say is Words, neither more nor less.
type Document struct {
	Kind      string `json:"kind"`            // a registered kind of report
	Depth     string `json:"depth,omitempty"` // how much it tells, where a kind has depths
	Subject   string `json:"subject"`         // what it is about: prediction:ULID, model:NAME, log:ID
	Workspace string `json:"workspace"`
	Created   string `json:"created"` // audit.TimeFormat
	// Record is the hash of what is reported, as the log or a record holds it; "" where a
	// report is about more than one record.
	Record   string    `json:"record,omitempty"`
	Title    Text      `json:"title"`
	Lede     Text      `json:"lede,omitzero"`
	Sections []Section `json:"sections"`
}

// Section is a heading with what stands under it.
type Section struct {
	Title  Text    `json:"title"`
	Blocks []Block `json:"blocks"`
}

// Block is one of its fields.
type Block struct {
	Text  *Text  `json:"text,omitempty"`  // a paragraph
	Note  *Text  `json:"note,omitempty"`  // a limit or a caveat
	Facts []Fact `json:"facts,omitempty"` // pairs of a name and a value
	Table *Table `json:"table,omitempty"`
	Code  string `json:"code,omitempty"` // text to be copied, such as a proof
}

// Fact is a named value.
type Fact struct {
	Name  Text `json:"name"`
	Value Text `json:"value"`
}

// Table has one cell a column in every row.
type Table struct {
	Columns []Column `json:"columns"`
	Rows    [][]Text `json:"rows"`
}

// Column is a heading; Width is its share of the page, in any unit.
type Column struct {
	Title  Text    `json:"title"`
	Width  float64 `json:"width"`
	Number bool    `json:"number,omitempty"`
}

// Text is words of a catalogue (Key, with Args as pairs of a placeholder and its value),
// or data as it is (Raw). Raw beside a Key stands in where no catalogue has the key: the
// name of something that an administrator or a model brought along.
type Text struct {
	Key  string `json:"key,omitempty"`
	Args []Arg  `json:"args,omitempty"`
	Raw  string `json:"raw,omitempty"`
}

// Arg fills a placeholder: with a number, or with a text.
type Arg struct {
	Name   string `json:"name"`
	Number *int64 `json:"number,omitempty"`
	Text   *Text  `json:"text,omitempty"`
}

// Say is a text of a catalogue. Values are numbers (int, int64), strings or Texts.
func Say(key string, pairs ...any) Text {
	t := Text{Key: key}
	for i := 0; i+1 < len(pairs); i += 2 {
		a := Arg{Name: fmt.Sprint(pairs[i])}
		switch v := pairs[i+1].(type) {
		case int:
			n := int64(v)
			a.Number = &n
		case int64:
			a.Number = &v
		case Text:
			a.Text = &v
		default:
			a.Text = &Text{Raw: fmt.Sprint(v)}
		}
		t.Args = append(t.Args, a)
	}
	return t
}

// Raw is data as it is.
func Raw(s string) Text { return Text{Raw: s} }

// Named is the name of a fixed word, or the word itself where no catalogue has it.
func Named(key, word string) Text { return Text{Key: key, Raw: word} }

// Number is a whole number, written as the reader's language writes it.
func Number(n int64) Text { return Say("report.number", "n", n) }

// Empty reports whether there is nothing to say.
func (t Text) Empty() bool { return t.Key == "" && t.Raw == "" }

// Add appends a section with its blocks.
func (d *Document) Add(title Text, blocks ...Block) {
	d.Sections = append(d.Sections, Section{title, blocks})
}

// Paragraph, Caveat, List and Grid make blocks.
func Paragraph(t Text) Block { return Block{Text: &t} }

// Caveat is a limit of what the report says.
func Caveat(t Text) Block { return Block{Note: &t} }

// List is facts, those without a value left out.
func List(facts ...Fact) Block {
	var b Block
	for _, f := range facts {
		if !f.Value.Empty() {
			b.Facts = append(b.Facts, f)
		}
	}
	return b
}

// JSON is the document as a file: the same bytes for the same document.
func (d *Document) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("audit/report: writing a document: %w", err)
	}
	return append(b, '\n'), nil
}

// Hash is the SHA-256 of JSON in hexadecimal: the name of exactly this report in any
// language. The log's entry about a report holds it.
func (d *Document) Hash() (string, error) {
	b, err := d.JSON()
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

// Words is everything that the document says, in reading order, by say.
func (d *Document) Words(say func(Text) string) []string {
	var out []string
	add := func(texts ...Text) {
		for _, t := range texts {
			if !t.Empty() {
				out = append(out, say(t))
			}
		}
	}
	add(d.Title, d.Lede)
	for _, s := range d.Sections {
		add(s.Title)
		for _, b := range s.Blocks {
			switch {
			case b.Text != nil:
				add(*b.Text)
			case b.Note != nil:
				add(*b.Note)
			case b.Table != nil:
				for _, c := range b.Table.Columns {
					add(c.Title)
				}
				for _, r := range b.Table.Rows {
					add(r...)
				}
			case b.Code != "":
				add(Raw(b.Code))
			}
			for _, f := range b.Facts {
				add(f.Name, f.Value)
			}
		}
	}
	return out
}
