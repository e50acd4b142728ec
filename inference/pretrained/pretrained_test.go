package pretrained

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// Every shipped model is a complete hub folder with card, licence, evaluation
// data and examples of every label.
func TestShippedFolders(t *testing.T) {
	if want := []string{"digits-resnet", "sentiment-minilm"}; !slices.Equal(Names(), want) {
		t.Fatalf("names %v, want %v", Names(), want)
	}
	for _, name := range Names() {
		fsys, ok := FS(name)
		if !ok {
			t.Fatalf("%s has no folder", name)
		}
		for _, file := range []string{"config.json", "model.safetensors", "MODEL_CARD.md", "metrics.json", "golden.json"} {
			if info, err := fs.Stat(fsys, file); err != nil || info.Size() == 0 {
				t.Errorf("%s/%s: %v", name, file, err)
			}
		}
		entries, err := fs.ReadDir(fsys, ".")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), "LICENSE") }) {
			t.Errorf("%s has no licence", name)
		}
		examples, err := Examples(name)
		if err != nil {
			t.Fatal(err)
		}
		labels := map[string]int{}
		for _, e := range examples {
			labels[e.Label]++
			if (e.Text == "") == (e.Image == nil) {
				t.Errorf("%s: an example with both or neither of text and picture: %+v", name, e)
			}
		}
		if want := map[string]int{"digits-resnet": 10, "sentiment-minilm": 3}[name]; len(labels) != want {
			t.Errorf("%s: examples of the labels %v, want %d labels", name, labels, want)
		}
	}
	if _, ok := FS("../secret"); ok {
		t.Error("a name with a path was accepted")
	}
	if e, err := Examples("none"); e != nil || err != nil {
		t.Errorf("examples of an unknown model: %v %v", e, err)
	}
}
