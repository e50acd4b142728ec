package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"vitrine/web/app"
)

func init() {
	register(command{name: "predict", summary: "run a model on a text, a picture or a file of them", run: predict})
}

// ask is what predict and explain have in common: the model and one input.
type ask struct {
	target
	model, text, pair, image, purpose, subject string
	json                                       bool
	set                                        map[string]bool
}

func (a *ask) flags(fs *flag.FlagSet) {
	a.target.flags(fs)
	fs.StringVar(&a.model, "m", "", "`model`: a name, name@version, or the path of a checkpoint folder")
	fs.StringVar(&a.text, "text", "", "input `text`")
	fs.StringVar(&a.pair, "pair", "", "second `text` of a pair")
	fs.StringVar(&a.image, "image", "", "input picture `file` (PNG or JPEG)")
	fs.StringVar(&a.purpose, "purpose", "", "`purpose` of the call (default: unspecified)")
	fs.StringVar(&a.subject, "subject", "", "the `person` concerned; stored as a keyed pseudonym only")
	fs.BoolVar(&a.json, "json", false, "print one JSON value")
}

// seen notes which flags were given, so that an empty text is an empty text.
func (a *ask) seen(fs *flag.FlagSet) {
	a.set = map[string]bool{}
	fs.Visit(func(f *flag.Flag) { a.set[f.Name] = true })
}

// maxImageFile bounds what is read before the server's own limit answers.
const maxImageFile = 16 << 20

// request is the body of POST /api/v1/predictions.
func (a *ask) request() (app.PredictRequest, error) {
	r := app.PredictRequest{Purpose: a.purpose, Subject: a.subject}
	if a.set["text"] == a.set["image"] {
		return r, usagef("give one input: --text or --image")
	}
	if a.set["text"] {
		if !utf8.ValidString(a.text) || !utf8.ValidString(a.pair) {
			return r, &withHint{errors.New("the text is not valid UTF-8"), "send the text as UTF-8"}
		}
		r.Text = &a.text
		if a.set["pair"] {
			r.Pair = &a.pair
		}
		return r, nil
	}
	img, err := readFile(a.image)
	r.Image = img
	return r, err
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the picture: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxImageFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the picture: %w", err)
	}
	if len(b) > maxImageFile {
		return nil, &withHint{fmt.Errorf("the picture is larger than %d MiB", maxImageFile>>20), "make it smaller"}
	}
	return b, nil
}

// resolve turns -m into a registered model: a path is checked and registered by
// its digest first, once.
func (a *ask) resolve(ctx context.Context, c *client) (string, error) {
	if a.model == "" {
		return "", usagef("give a model: -m NAME or -m FOLDER")
	}
	st, err := os.Stat(a.model)
	if err != nil || a.server != "" {
		return a.model, nil
	}
	if !st.IsDir() && !strings.EqualFold(filepath.Ext(a.model), ".gguf") {
		return "", &withHint{fmt.Errorf("%s is a file and no GGUF", a.model), "give the checkpoint's folder, or add it by vitrine model add"}
	}
	var known app.ModelView
	if !filepath.IsAbs(a.model) && filepath.Base(a.model) == a.model {
		if err := c.do(ctx, http.MethodGet, "/api/v1/models/"+a.model, nil, &known); err == nil {
			return a.model, nil // a registered name wins over a folder of that name
		}
	}
	abs, err := filepath.Abs(a.model)
	if err != nil {
		return "", fmt.Errorf("finding the model folder: %w", err)
	}
	if err := c.do(ctx, http.MethodPost, "/api/v1/models", map[string]string{"folder": abs}, &known); err != nil {
		return "", err
	}
	return known.Digest, nil
}

func predict(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "predict", "-m MODEL (--text T [--pair T] | --image FILE | --input FILE.jsonl) [--purpose P] [--json]")
	var a ask
	a.flags(fs)
	input := fs.String("input", "", "`file` of JSON lines {text, pair?}; prints one JSON line each")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	a.seen(fs)
	c, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	model, err := a.resolve(ctx, c)
	if err != nil {
		return err
	}
	if *input != "" {
		return predictLines(ctx, e, c, &a, model, *input)
	}
	r, err := a.request()
	if err != nil {
		return err
	}
	r.Model = model
	v, err := c.predict(ctx, r)
	if err != nil {
		return err
	}
	if a.json {
		return printJSON(e.stdout, v)
	}
	printPrediction(e.stdout, v)
	return nil
}

// predict asks for one prediction and waits for its full receipt.
func (c *client) predict(ctx context.Context, r app.PredictRequest) (*app.PredictionView, error) {
	var v app.PredictionView
	if err := c.do(ctx, http.MethodPost, "/api/v1/predictions", r, &v); err != nil {
		return nil, err
	}
	full, err := c.included(ctx, v.Receipt)
	if err != nil {
		return nil, err
	}
	v.Receipt = full
	if v.Explanation != nil {
		if v.Explanation.Receipt, err = c.included(ctx, v.Explanation.Receipt); err != nil {
			return nil, err
		}
	}
	return &v, nil
}

// maxLine is the longest JSON line read: far above the longest text taken.
const maxLine = 4 << 20

// predictLines answers each line of a file as it is read, with one JSON line;
// a line that fails is answered with its error and the command ends with 1.
func predictLines(ctx context.Context, e *env, c *client, a *ask, model, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the input: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	out := json.NewEncoder(e.stdout)
	n, failed := 0, 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		r := app.PredictRequest{}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("line %d is not a JSON object with a text", n)
		}
		r.Model, r.Purpose, r.Subject, r.Explain = model, a.purpose, a.subject, nil
		var v app.PredictionView
		err := c.do(ctx, http.MethodPost, "/api/v1/predictions", r, &v)
		if err != nil {
			failed++
			err = out.Encode(map[string]any{"line": n, "error": err.Error()})
		} else {
			err = out.Encode(&v)
		}
		if err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading line %d: %w", n+1, err)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d lines failed", failed, n)
	}
	return nil
}

func printPrediction(w io.Writer, v *app.PredictionView) {
	fmt.Fprintf(w, "%s@%s  %s\n", v.Model.Name, v.Model.Version, v.Task)
	for _, l := range v.Output.Labels {
		fmt.Fprintf(w, "  %-20s %6.2f %%   logit %+.4f\n", l.Label, 100*l.Score, l.Logit)
	}
	for _, en := range v.Output.Entities {
		fmt.Fprintf(w, "  %-20s %6.2f %%   %d–%d  %s\n", en.Label, 100*en.Score, en.Start, en.End, en.Text)
	}
	if n := len(v.Input.Masked); n > 0 {
		fmt.Fprintf(w, "  %d finding(s) of personal data were masked before the model saw the text\n", n)
	}
	if len(v.Windows) > 1 {
		fmt.Fprintf(w, "  the text is longer than the model reads at once: %d windows, averaged by their tokens\n", len(v.Windows))
	}
	printRecord(w, "prediction", v.ID, v.Decision, v.Receipt)
}

func printRecord(w io.Writer, what, id string, d app.DecisionView, r app.ReceiptView) {
	fmt.Fprintf(w, "  %s %s, allowed by %v under policy version %d\n", what, id, d.RuleIDs, d.PolicyVersion)
	if r.Index != nil {
		fmt.Fprintf(w, "  log entry %d, leaf %s\n", *r.Index, r.LeafHash)
	} else {
		fmt.Fprintf(w, "  log entry promised: event %s\n", r.Event)
	}
}
