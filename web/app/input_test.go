package app

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitrine/inference/pretrained"
	"vitrine/policy"
)

// TestMaskedBeforeItIsKept: what a rule masks is nowhere: not in the answer, the model's
// tokens, the database, the log or an export.
func TestMaskedBeforeItIsKept(t *testing.T) {
	dir := t.TempDir()
	a := openApp(t, dir, true)
	ctx := context.Background()
	c := caller(t, a, policy.Analyst)
	const canary, person = "canary.7f3a@example.org", "Person-Canary-9b"
	v := predict(t, a, c, PredictRequest{Model: textModel, Text: text("Please answer to " + canary + " or +49 30 901820, thank you."), Subject: person,
		Explain: &ExplainRequest{Method: "occlusion"}})
	if len(v.Input.Masked) != 2 || !strings.Contains(v.Input.Text, "[EMAIL]") || strings.Contains(v.Input.Text, "canary") {
		t.Fatalf("%+v", v.Input)
	}
	for _, tok := range v.Tokens {
		if strings.Contains(tok.Text, "canary") || strings.Contains(tok.Text, "7f3a") {
			t.Fatalf("the model saw %q", tok.Text)
		}
	}
	x, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: "jsonl"})
	if err != nil {
		t.Fatal(err)
	}
	if x.Done != x.Total || x.Done == 0 {
		t.Fatalf("%+v", x)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range []string{"canary.7f3a", "901820", person, "Please answer"} {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s holds %q", d.Name(), secret)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBadInput(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	long := strings.Repeat("The film was good and the seats were not. ", 2400) // 100,800 characters
	v := predict(t, a, a.Local(), PredictRequest{Model: textModel, Text: &long})
	if len(v.Windows) < 2 || v.Windows[len(v.Windows)-1].End < len(long)-2 {
		t.Errorf("a long text was cut: %d windows", len(v.Windows))
	}
	for name, c := range map[string]struct {
		r    PredictRequest
		want error
	}{
		"nothing":       {PredictRequest{Model: textModel}, ErrInput},
		"empty":         {PredictRequest{Model: textModel, Text: text("")}, ErrInput},
		"not UTF-8":     {PredictRequest{Model: textModel, Text: text("a\xffb")}, ErrInput},
		"both":          {PredictRequest{Model: textModel, Text: text("a"), Image: []byte{1}}, ErrInput},
		"picture":       {PredictRequest{Model: imageModel, Image: []byte("GIF89a")}, ErrInput},
		"text":          {PredictRequest{Model: imageModel, Text: text("a")}, ErrInput},
		"model":         {PredictRequest{Model: "nobody", Text: text("a")}, ErrUnknownModel},
		"model path":    {PredictRequest{Model: "../../etc", Text: text("a")}, ErrUnknownModel},
		"purpose":       {PredictRequest{Model: textModel, Text: text("a"), Purpose: "fun"}, ErrUnknownPurpose},
		"data class":    {PredictRequest{Model: textModel, Text: text("a"), DataClass: "fun"}, ErrInput},
		"method":        {PredictRequest{Model: textModel, Text: text("a"), Explain: &ExplainRequest{Method: "magic"}}, ErrUnknownMethod},
		"parameter":     {PredictRequest{Model: textModel, Text: text("a"), Explain: &ExplainRequest{Method: "integrated-gradients", Params: map[string]any{"profile": "magic"}}}, ErrParam},
		"label":         {PredictRequest{Model: textModel, Text: text("a"), Explain: &ExplainRequest{Method: "saliency", Target: "magic"}}, ErrUnknownLabel},
		"wrong subject": {PredictRequest{Model: textModel, Text: text("a"), Subject: strings.Repeat("x", 1001)}, ErrInput},
	} {
		_, err := a.Predict(ctx, a.Local(), c.r)
		if !errors.Is(err, c.want) || Hint(err) == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v (hint %q)", name, err, Hint(err))
			continue
		}
		if strings.Count(err.Error(), c.want.Error()) != 1 || strings.Contains(err.Error(), "inference:") || strings.Contains(err.Error(), "explain:") {
			t.Errorf("%s reads badly: %v", name, err)
		}
		t.Logf("%-14s %v (%s)", name, err, Hint(err))
	}
	if _, err := a.AddModel(ctx, a.Local(), t.TempDir(), "", ""); !errors.Is(err, ErrModelFolder) {
		t.Error(err)
	}
	if _, err := a.Prediction(ctx, a.Local(), "x"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := a.AuditEvent(ctx, a.Local(), 1<<40); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := a.StartExport(ctx, a.Local(), ExportRequest{Format: "docx"}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := a.Predictions(ctx, a.Local(), PredictionQuery{Page: Page{Before: "x"}}); !errors.Is(err, ErrInput) {
		t.Error(err)
	}
}

func TestOwnModel(t *testing.T) {
	a := openApp(t, "", true)
	ctx := context.Background()
	dir := t.TempDir()
	shipped, _ := pretrained.FS(imageModel)
	if err := os.CopyFS(filepath.Join(dir, "secret-project"), shipped); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "secret-project")
	// The files of a shipped model are known by their digest.
	m, err := a.AddModel(ctx, a.Local(), folder, "", "")
	if err != nil || m.Name != imageModel {
		t.Fatalf("%+v %v", m, err)
	}
	m, err = a.AddModel(ctx, a.Local(), folder, "mine", "2.0.0")
	if err != nil || m.Name != "mine" || len(m.Files) == 0 {
		t.Fatalf("%+v %v", m, err)
	}
	pictures, _ := pretrained.Examples(imageModel)
	predict(t, a, a.Local(), PredictRequest{Model: "mine@2.0.0", Image: pictures[0].Image})
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddModel(ctx, a.Local(), folder, "mine", "3.0.0"); !errors.Is(err, ErrModelFolder) {
		t.Fatal(err)
	}
	for _, e := range events(t, a) {
		if strings.Contains(string(e.Leaf), "secret-project") {
			t.Fatalf("a leaf holds the folder's name: %s", e.Leaf)
		}
	}
}
