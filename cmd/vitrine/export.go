package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"filippo.io/age"

	"vitrine/web/app"
)

func init() {
	register(command{name: "export", summary: "write log entries as an evidence pack, CSV, JSON lines or OCSF", run: export})
}

func export(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "export", "--data DIR --format pack|csv|jsonl|ocsf --out FILE [--recipient age1… ...] [--from TIME|INDEX --to TIME|INDEX --kind CODE ...]")
	var (
		t      target
		format = fs.String("format", "pack", "pack, csv, jsonl or ocsf")
		out    = fs.String("out", "", "`file` to write")
		from   = fs.String("from", "", "first `time` (2026-11-24 or RFC 3339) or index")
		to     = fs.String("to", "", "`time` or index after the last")
		kind   = fs.String("kind", "", "event `code`, or its beginning")
		lang   = fs.String("lang", "en", "language of the report: en or zh-Hans")
		asJSON = fs.Bool("json", false, "print one JSON value")
	)
	t.flags(fs)
	var readers list
	fs.Var(&readers, "recipient", recipientUsage)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return usagef("unexpected argument %q", rest[0])
	case *out == "":
		return usagef("give a file to write: --out FILE")
	}
	body := map[string]any{"format": *format, "kind": *kind, "language": *lang}
	if err := bound(body, *from, "from", "after"); err != nil {
		return err
	}
	if err := bound(body, *to, "to", "until"); err != nil {
		return err
	}
	sealTo, err := recipients(readers)
	if err != nil {
		return err
	}
	c, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	v, err := c.export(ctx, body)
	if err != nil {
		return err
	}
	if err := c.download(ctx, v.ID, *out, sealTo); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(e.stdout, v)
	}
	fmt.Fprintf(e.stdout, "%s: %d entries, %d bytes, sha256 %s\n", *out, v.Total, v.Bytes, v.SHA256)
	if *format == "pack" {
		fmt.Fprintf(e.stdout, "check it anywhere, without this server: vitrine verify %s%s\n", *out, identityHint(sealTo))
	}
	return nil
}

// bound puts one end of a range into the request: a whole number is an index of
// the log, anything else a time.
func bound(body map[string]any, v, index, when string) error {
	if v == "" {
		return nil
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		body[index] = n
		return nil
	}
	t, err := timeFlag(v)
	body[when] = t
	return err
}

func timeFlag(v string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("%q is not a time like 2026-11-24 or 2026-11-24T09:30:00Z", v)
}

// export starts an export and waits until its file is there.
func (c *client) export(ctx context.Context, body any) (*app.ExportView, error) {
	var v app.ExportView
	if err := c.do(ctx, http.MethodPost, "/api/v1/exports", body, &v); err != nil {
		return nil, err
	}
	for {
		switch v.Status {
		case "done":
			return &v, nil
		case "failed", "cancelled":
			return nil, fmt.Errorf("the export %s: %s", v.Status, v.Error)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if err := c.do(ctx, http.MethodGet, "/api/v1/exports/"+v.ID, nil, &v); err != nil {
			return nil, err
		}
	}
}

// download writes an export's file whole, or not at all.
func (c *client) download(ctx context.Context, id, out string, to []age.Recipient) error {
	resp, err := c.send(ctx, http.MethodGet, "/api/v1/exports/"+id+"/file", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return writeWhole(out, to, func(w io.Writer) error {
		_, err := io.Copy(w, resp.Body)
		return err
	})
}

// identityHint completes the command that checks an encrypted file.
func identityHint(to []age.Recipient) string {
	if to == nil {
		return ""
	}
	return " --identity FILE"
}
