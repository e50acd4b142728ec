package weights

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// file assembles a safetensors file from a header and data.
func file(header string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

func open(t testing.TB, raw []byte) (*File, error) {
	t.Helper()
	return Open(fstest.MapFS{"model.safetensors": {Data: raw}}, "model.safetensors")
}

func TestValues(t *testing.T) {
	var data []byte
	for _, v := range []float32{1.5, -0.25} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	for _, h := range []uint16{0x3c00, 0xc000, 0x0001, 0x7bff, 0x83ff, 0x0400} {
		data = binary.LittleEndian.AppendUint16(data, h)
	}
	for _, h := range []uint16{0x3f80, 0xc040} {
		data = binary.LittleEndian.AppendUint16(data, h)
	}
	seven := int64(-7)
	data = binary.LittleEndian.AppendUint64(data, uint64(seven))
	raw := file(`{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},`+
		`"h":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[20,24]},`+
		`"n":{"dtype":"I64","shape":[],"data_offsets":[24,32]}}  `, data)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	onDisk, err := Open(os.DirFS(dir), "model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer onDisk.Close()
	inMemory, err := open(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*File{onDisk, inMemory} {
		for name, want := range map[string][]float32{
			"a": {1.5, -0.25},
			// 0x0001 is the smallest subnormal, 2^-24; 0x7bff the largest number, 65504 (IEEE 754 binary16).
			"h": {1, -2, 1.0 / (1 << 24), 65504, -1023.0 / (1 << 24), 1.0 / (1 << 14)},
			"b": {1, -3},
		} {
			x, ok := f.Tensor(name)
			if !ok {
				t.Fatalf("no tensor %s", name)
			}
			got, err := x.Float32()
			if err != nil || len(got) != len(want) {
				t.Fatalf("%s: %v, %v", name, got, err)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s[%d] = %g, want %g", name, i, got[i], want[i])
				}
			}
		}
		n, _ := f.Tensor("n")
		if v, err := n.Int64(); err != nil || len(v) != 1 || v[0] != -7 {
			t.Errorf("n = %v, %v", v, err)
		}
		if _, err := n.Float32(); !errors.Is(err, ErrFormat) {
			t.Errorf("floats from integers: %v", err)
		}
	}
	onDisk.Close()
	if a, _ := onDisk.Tensor("a"); a != nil {
		if _, err := a.Float32(); err == nil {
			t.Error("read after Close gave values")
		}
	}
}

func TestHostileHeaders(t *testing.T) {
	huge := binary.LittleEndian.AppendUint64(nil, 1<<63)
	for name, raw := range map[string][]byte{
		"empty file":       {},
		"claims 2^63":      append(huge, "{}"...),
		"beyond the file":  append(binary.LittleEndian.AppendUint64(nil, 100), "{}"...),
		"not JSON":         file(`{"a":`, nil),
		"array":            file(`[]`, nil),
		"trailing":         file(`{}x`, nil),
		"duplicate":        file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1}),
		"overlap":          file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, []byte{1, 2, 3}),
		"hole":             file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, []byte{1, 2}),
		"bytes behind":     file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1, 2}),
		"beyond the data":  file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, []byte{1}),
		"backwards":        file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}}`, []byte{1}),
		"negative":         file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, []byte{1}),
		"shape mismatch":   file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, []byte{1, 2, 3, 4}),
		"overflow":         file(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,4]}}`, []byte{1, 2, 3, 4}),
		"huge dimension":   file(`{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,1]}}`, []byte{1}),
		"negative shape":   file(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, []byte{1}),
		"fraction":         file(`{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}`, []byte{1}),
		"no dtype":         file(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, []byte{1}),
		"unknown member":   file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, []byte{1}),
		"member twice":     file(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1}),
		"other case":       file(`{"a":{"DTYPE":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1}),
		"null":             file(`{"a":null}`, nil),
		"bad metadata":     file(`{"__metadata__":{"a":1}}`, nil),
		"invalid UTF-8":    file("{\"\xff\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", []byte{1}),
		"many dimensions":  file(`{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}`, []byte{1}),
		"three offsets":    file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}`, []byte{1}),
		"name of nothing":  file(`{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1}),
		"header too short": {1, 2, 3},
	} {
		if _, err := open(t, raw); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := open(t, file(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, []byte{1})); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown type: %v", err)
	}
}

func TestHubFolder(t *testing.T) {
	one := file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1})
	two := file(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{2})
	index := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	fsys := fstest.MapFS{"model-00001.safetensors": {Data: one}, "model-00002.safetensors": {Data: two},
		"model.safetensors.index.json": index(`{"metadata":{},"weight_map":{"a":"model-00001.safetensors","b":"model-00002.safetensors"}}`)}
	f, err := OpenHub(fsys)
	if err != nil || strings.Join(f.Names(), ",") != "a,b" {
		t.Fatalf("%v, %v", f, err)
	}
	for name, s := range map[string]string{
		"outside":  `{"weight_map":{"a":"../secret.safetensors"}}`,
		"absolute": `{"weight_map":{"a":"/etc/passwd"}}`,
		"drive":    `{"weight_map":{"a":"c:x.safetensors"}}`,
		"missing":  `{"weight_map":{"a":"model-00001.safetensors","z":"model-00001.safetensors"}}`,
		"empty":    `{}`,
	} {
		fsys["model.safetensors.index.json"] = index(s)
		if _, err := OpenHub(fsys); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = OpenHub(fstest.MapFS{"pytorch_model.bin": {Data: []byte("x")}})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "executes the code") || !strings.Contains(err.Error(), "safetensors") {
		t.Errorf("pickle: %v", err)
	}
	digests, err := Digests(t.Context(), fstest.MapFS{"b/x": {Data: []byte("abc")}, "a": {Data: nil}, ".git/y": {Data: nil}})
	// SHA-256 of "abc": FIPS 180-2, appendix B.1.
	if err != nil || len(digests) != 2 || digests[1].SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%v, %v", digests, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := Digests(ended, fstest.MapFS{"a": {Data: nil}}); !errors.Is(err, context.Canceled) {
		t.Errorf("digests after the end: %v", err)
	}
}

// TestParts: any part of a tensor is that part of the whole, for each type and also where the tensor lies unaligned; a part
// beyond the end is refused; a released tensor reads the same again.
func TestParts(t *testing.T) {
	const n = 40000 // several chunks, several pages
	for dtype, width := range map[string]int{"F32": 4, "F16": 2, "BF16": 2, "F64": 8} {
		data := make([]byte, 1+n*width)
		for i := range data {
			data[i] = byte(i * 7 % 61)
		}
		raw := file(fmt.Sprintf(`{"p":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":%q,"shape":[%d],"data_offsets":[1,%d]}}`, dtype, n, len(data)), data)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(os.DirFS(dir), "model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		x, _ := f.Tensor("x")
		whole, err := x.Float32()
		if err != nil {
			t.Fatal(err)
		}
		x.Release()
		for _, part := range [][2]int{{0, n}, {0, 0}, {n, 0}, {1, 17}, {n - 1, 1}, {3, 33000}} {
			dst := make([]float32, part[1])
			if err := x.ReadFloat32At(dst, part[0]); err != nil || !slices.Equal(dst, whole[part[0]:part[0]+part[1]]) {
				t.Errorf("%s %v: %v", dtype, part, err)
			}
		}
		for _, part := range [][2]int{{-1, 1}, {n, 1}, {1, n}} {
			if x.ReadFloat32At(make([]float32, part[1]), part[0]) == nil {
				t.Errorf("%s %v: read beyond the tensor", dtype, part)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if x.ReadFloat32At(make([]float32, 1), 0) == nil {
			t.Errorf("%s: read after Close", dtype)
		}
		x.Release()
	}
}

// FuzzOpen: any bytes give a file whose tensors can be read, or an error; never a panic, never a large allocation.
func FuzzOpen(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, []byte{1, 2}))
	f.Add(file(`{"__metadata__":{"x":"y"},"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}`, bytes.Repeat([]byte{1}, 8)))
	f.Add(append(binary.LittleEndian.AppendUint64(nil, 1<<63), '{', '}'))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := open(t, raw)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		for _, n := range file.Names() {
			x, _ := file.Tensor(n)
			_, errF := x.Float64()
			_, errI := x.Int64()
			if errF != nil && errI != nil {
				t.Fatalf("%s is neither floats nor integers: %v, %v", n, errF, errI)
			}
		}
	})
}
