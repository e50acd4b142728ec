package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"vitrine/inference"
	"vitrine/web/app"
)

func init() {
	register(command{name: "generate", summary: "let a model write: go on from a text, answer a conversation, summarise, translate", run: generateText})
	register(command{name: "chat", summary: "talk with a model in the terminal", run: chat})
}

// writing is what generate and chat have in common: the model, who is concerned, and how
// tokens are chosen.
type writing struct {
	ask
	maxTokens, topK, beams int
	temperature, topP      float64
	seed                   uint64
	stop                   texts
}

// texts is a flag that may be given several times.
type texts []string

func (l *texts) String() string     { return strings.Join(*l, ", ") }
func (l *texts) Set(s string) error { *l = append(*l, s); return nil }

func (w *writing) flags(fs *flag.FlagSet) {
	w.target.flags(fs)
	fs.StringVar(&w.model, "m", "", "`model`: a name, name@version, or the path of a checkpoint folder")
	fs.StringVar(&w.purpose, "purpose", "", "`purpose` of the call (default: unspecified)")
	fs.StringVar(&w.subject, "subject", "", "the `person` concerned; stored as a keyed pseudonym only")
	fs.IntVar(&w.maxTokens, "max-tokens", 0, "at most that many tokens (default: as many as fit)")
	fs.Float64Var(&w.temperature, "temperature", 0, "0 takes the likeliest token each time")
	fs.Float64Var(&w.topP, "top-p", 0, "draw from the likeliest tokens of that share together")
	fs.IntVar(&w.topK, "top-k", 0, "draw from that many likeliest tokens")
	fs.IntVar(&w.beams, "beams", 0, "search with that many beams")
	fs.Uint64Var(&w.seed, "seed", 0, "seed of what is drawn (default: a random one)")
	fs.Var(&w.stop, "stop", "a `text` that ends the answer; may be given several times")
}

// request is the body of POST /api/v1/generations without what is read.
func (w *writing) request(model string) app.GenerateRequest {
	r := app.GenerateRequest{Model: model, Purpose: w.purpose, Subject: w.subject, Temperature: w.temperature, TopP: w.topP, TopK: w.topK, Beams: w.beams, Stop: w.stop}
	if w.set["max-tokens"] {
		r.MaxTokens = &w.maxTokens
	}
	if w.set["seed"] {
		r.Seed = &w.seed
	}
	return r
}

// maxConversation bounds a file of messages.
const maxConversation = 4 << 20

// messages reads a JSON file: a list of messages, or an object that holds one.
func messages(path string) ([]inference.Message, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the conversation: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConversation+1))
	if err != nil {
		return nil, fmt.Errorf("reading the conversation: %w", err)
	}
	var list []inference.Message
	if err := json.Unmarshal(raw, &list); err != nil {
		var body struct {
			Messages []inference.Message `json:"messages"`
		}
		if json.Unmarshal(raw, &body) != nil || body.Messages == nil {
			return nil, &withHint{errors.New("the file holds no conversation"), `write [{"role": "user", "content": "…"}]`}
		}
		list = body.Messages
	}
	return list, nil
}

func generateText(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "generate", "-m MODEL (--prompt T | --chat FILE.json) [--max-tokens N --temperature X --top-p X --beams N --seed N --stop T] [--purpose P] [--json]")
	var w writing
	w.flags(fs)
	prompt := fs.String("prompt", "", "`text` to go on from, or to summarise or translate")
	file := fs.String("chat", "", "JSON `file` with a list of messages {role, content}")
	prefix := fs.String("prefix", "", "`text` before each part that a model with an encoder reads, such as \"summarize: \"")
	language := fs.String("language", "", "`language` to write, where a model knows several")
	fs.BoolVar(&w.json, "json", false, "print one JSON value")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	w.seen(fs)
	if w.set["prompt"] == w.set["chat"] {
		return usagef("give one of --prompt and --chat")
	}
	c, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	model, err := w.resolve(ctx, c)
	if err != nil {
		return err
	}
	r := w.request(model)
	r.Prefix, r.Language = *prefix, *language
	if w.set["chat"] {
		if r.Messages, err = messages(*file); err != nil {
			return err
		}
	} else if r.Text = prompt; !utf8.ValidString(*prompt) {
		return &withHint{errors.New("the prompt is not valid UTF-8"), "send the text as UTF-8"}
	}
	out := e.stdout
	if w.json {
		out = io.Discard
	}
	v, err := c.write(ctx, r, out)
	if err != nil {
		return err
	}
	if v.Receipt, err = c.included(ctx, v.Receipt); err != nil {
		return err
	}
	if w.json {
		return printJSON(e.stdout, v)
	}
	fmt.Fprintln(e.stdout)
	printWriting(e.stdout, v)
	return nil
}

// write streams what a model writes to out, and returns the prediction.
func (c *client) write(ctx context.Context, r app.GenerateRequest, out io.Writer) (*app.PredictionView, error) {
	body := struct {
		app.GenerateRequest
		Stream bool `json:"stream"`
	}{r, true}
	resp, err := c.send(ctx, http.MethodPost, "/api/v1/generations", body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var event struct {
				Answer     int                 `json:"answer"`
				Text       string              `json:"text"`
				Prediction *app.PredictionView `json:"prediction"`
				Error      *struct {
					Message string `json:"message"`
				} `json:"error"`
			}
			if err := json.Unmarshal([]byte(data), &event); err != nil {
				return nil, fmt.Errorf("reading the server's answer: %w", err)
			}
			switch {
			case event.Error != nil:
				return nil, errors.New(event.Error.Message)
			case event.Prediction != nil:
				return event.Prediction, nil
			case event.Answer == 0:
				if _, err := io.WriteString(out, event.Text); err != nil {
					return nil, err
				}
			}
		}
		if err != nil {
			return nil, fmt.Errorf("the server's answer ended too early: %w", err)
		}
	}
}

// printWriting says under an answer what it was made by and where that is recorded.
func printWriting(w io.Writer, v *app.PredictionView) {
	g := v.Output.Generated[0]
	if len(v.Output.Generated) > 1 || v.Output.Sampling.Beams > 1 { // nothing was streamed
		for _, one := range v.Output.Generated {
			fmt.Fprintf(w, "%s\n", one.Text)
		}
	}
	fmt.Fprintf(w, "\n%s@%s  %s: %d tokens read, %d written, ended by %s", v.Model.Name, v.Model.Version, v.Task, v.Output.Sampling.PromptTokens, v.Output.Sampling.Written, g.Finish)
	if v.Output.Sampling.Temperature > 0 {
		fmt.Fprintf(w, ", seed %d", g.Seed)
	}
	fmt.Fprintln(w)
	if n := len(v.Input.Masked) + len(g.Masked); n > 0 {
		fmt.Fprintf(w, "  %d finding(s) of personal data were masked\n", n)
	}
	printRecord(w, "prediction", v.ID, v.Decision, v.Receipt)
}

// chat reads turns from the terminal until its end; each is a prediction of its own.
func chat(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "chat", "-m MODEL [--system T] [--max-tokens N --temperature X --top-p X --seed N] [--purpose P]")
	var w writing
	w.flags(fs)
	system := fs.String("system", "", "`text` that the conversation begins with")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("unexpected argument %q", rest[0])
	}
	w.seen(fs)
	c, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	model, err := w.resolve(ctx, c)
	if err != nil {
		return err
	}
	var turns []inference.Message
	if *system != "" {
		turns = append(turns, inference.Message{Role: "system", Content: *system})
	}
	in := bufio.NewScanner(e.stdin)
	in.Buffer(make([]byte, 64<<10), maxLine)
	for fmt.Fprint(e.stdout, "> "); in.Scan(); fmt.Fprint(e.stdout, "> ") {
		if strings.TrimSpace(in.Text()) == "" {
			continue
		}
		r := w.request(model)
		r.Messages = append(turns, inference.Message{Role: "user", Content: in.Text()})
		v, err := c.write(ctx, r, e.stdout)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "\n  prediction %s, policy version %d\n", v.ID, v.Decision.PolicyVersion)
		turns = append(r.Messages, inference.Message{Role: "assistant", Content: v.Output.Generated[0].Text})
	}
	fmt.Fprintln(e.stdout)
	if err := in.Err(); err != nil {
		return fmt.Errorf("reading the conversation: %w", err)
	}
	return nil
}
