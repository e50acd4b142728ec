package gguf

import (
	"math"
	"math/rand/v2"
	"testing"

	"vitrine/inference/kernel"
	"vitrine/inference/weights"
)

// The values of a coded panel are those that the tensor reads as, bit for bit, for every type that stays packed: on blocks of any bytes whose scales are
// ordinary.
func TestCodedValues(t *testing.T) {
	const rows, columns = 19, 512
	r := rand.New(rand.NewPCG(91, 92))
	for number, form := range forms {
		if _, ok := codes[form.name]; !ok {
			continue
		}
		data := make([]byte, rows*columns/form.block*form.bytes)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		for at := 0; at < len(data); at += form.bytes {
			for _, scale := range [][]int{{0, 2}, {208}}[min(1, form.bytes/210)] {
				data[at+scale+1] = data[at+scale+1]&0xBB | byte(r.IntN(2)) // exponents below 31
			}
		}
		f, err := open((&builder{}).tensor("w", number, 0, columns, rows).file(data))
		if err != nil {
			t.Fatal(err)
		}
		w, _ := f.Tensor("w")
		want, err := w.Float32()
		if err != nil {
			t.Fatal(err)
		}
		code, ok := w.Code()
		if !ok {
			t.Fatal(form.name, "is not kept packed")
		}
		back := &reordered{w, columns, func(row int) int { return rows - 1 - row }}
		for name, read := range map[string]func(kernel.Coded, int) error{"": w.ReadCoded, " in another order": back.ReadCoded} {
			p, err := kernel.PackCoded(nil, code, columns, rows, func(lo int, dst kernel.Coded) error { return read(dst, lo) })
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, columns)
			for row := range rows {
				p.Column(got, row)
				from := row
				if name != "" {
					from = rows - 1 - row
				}
				for i, v := range want[from*columns : (from+1)*columns] {
					if math.Float32bits(got[i]) != math.Float32bits(v) {
						t.Fatalf("%s%s: value %d of row %d is %v, want %v", form.name, name, i, row, got[i], v)
					}
				}
			}
		}
		if w.ReadCoded(kernel.Coded{Codes: make([]byte, 2*columns/kernel.RunValues*code.Bytes())}, rows-1) == nil {
			t.Errorf("%s: rows beyond the last are read", form.name)
		}
	}
}

// What is read as changed values, or has rows of broken blocks, is not kept packed.
func TestNotCoded(t *testing.T) {
	f, err := open((&builder{}).tensor("w", 8, 0, 32, 2).tensor("v", 8, 96, 64).tensor("f", 0, 192, 32, 2).file(make([]byte, 1024)))
	if err != nil {
		t.Fatal(err)
	}
	w, _ := f.Tensor("w")
	for name, c := range map[string]weights.Coder{"turned": &transposed{Tensor: w}, "changed": minusOne{w}} {
		if _, ok := c.Code(); ok {
			t.Errorf("%s values are kept packed", name)
		}
	}
	for _, name := range []string{"v", "f"} {
		x, _ := f.Tensor(name)
		if _, ok := x.Code(); ok {
			t.Errorf("%s %v is kept packed", x.Type, x.Shape)
		}
		if x.ReadCoded(kernel.Coded{}, 0) == nil {
			t.Errorf("%s %v is read as codes", x.Type, x.Shape)
		}
	}
}
