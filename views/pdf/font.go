package pdf

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/image/font/sfnt"
)

// Noto Sans SC Regular 2.004, cut to GB 2312, Latin-1 and the marks of the catalogues,
// without hints and layout tables. Licence: font/OFL.txt.
//
//go:embed font/NotoSansSC-GB2312.ttf.gz
var packed []byte

// face is the unpacked font and what it can draw.
type face struct {
	data   []byte
	font   *sfnt.Font
	buffer sfnt.Buffer
}

// unpack reads the embedded font once; its bytes are ours, so that an error is one of the
// program.
var unpack = sync.OnceValues(func() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("pdf: unpacking the font: %w", err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("pdf: unpacking the font: %w", err)
	}
	return data, nil
})

func newFace() (*face, error) {
	data, err := unpack()
	if err != nil {
		return nil, err
	}
	f, err := sfnt.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("pdf: reading the font: %w", err)
	}
	return &face{data: data, font: f}, nil
}

// has reports whether the font draws r.
func (f *face) has(r rune) bool {
	if r < ' ' || r > 0xFFFF {
		return false
	}
	g, err := f.font.GlyphIndex(&f.buffer, r)
	return err == nil && g != 0
}

// printable writes every character that the font cannot draw as U+XXXX, so that none is
// lost; a tab becomes a space, and ends of line stay.
func (f *face) printable(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		switch {
		case r == '\n' || f.has(r):
			b.WriteRune(r)
		case r == '\t':
			b.WriteByte(' ')
		default:
			fmt.Fprintf(&b, "U+%04X", r)
		}
	}
	return b.String()
}

// Printable is what a file says for s: every character that the font cannot draw written
// as U+XXXX.
func Printable(s string) string {
	f, err := newFace()
	if err != nil {
		return s // Write says so
	}
	return f.printable(s)
}
