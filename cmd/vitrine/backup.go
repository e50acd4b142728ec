package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	evidence "vitrine/audit/report"
	"vitrine/web/app"
)

func init() {
	register(command{name: "backup", summary: "copy the database, or the keys, to a file while the server runs", run: backup})
	register(command{name: "restore", summary: "put a backup into an empty data folder", run: restore})
}

// backup asks for the copy like for everything else, so that it is decided and recorded,
// and reads the written file once more before it says so.
func backup(ctx context.Context, e *env, args []string) (err error) {
	fs := flags(e, "backup", "FILE [--keys] [--data DIR] [--recipient age1… ...]")
	var (
		t  target
		to list
	)
	t.flags(fs)
	keys := fs.Bool("keys", false, "the keys instead of the database: keep the two apart, neither opens without the other")
	fs.Var(&to, "recipient", recipientUsage)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one file to write")
	}
	if _, err := os.Lstat(rest[0]); err == nil {
		return &withHint{fmt.Errorf("%s exists already", rest[0]), "give another name; an older backup is never written over"}
	}
	sealTo, err := recipients(to)
	if err != nil {
		return err
	}
	c, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	content := "database"
	if *keys {
		content = "keys"
	}
	resp, err := c.send(ctx, http.MethodPost, "/api/v1/backups", map[string]string{"content": content})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	written := sha256.New()
	var n int64
	err = writeWhole(rest[0], sealTo, func(w io.Writer) error {
		plain := sha256.New()
		if n, err = io.Copy(io.MultiWriter(w, plain), resp.Body); err != nil {
			return err
		}
		if hex.EncodeToString(plain.Sum(nil)) != resp.Header.Get("Vitrine-Sha256") {
			return errors.New("what came is not what the server wrote")
		}
		return nil
	})
	if err != nil {
		return err
	}
	f, err := os.Open(rest[0])
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(written, f); err != nil {
		return fmt.Errorf("reading the written file again: %w", err)
	}
	fmt.Fprintf(e.stdout, "%s: %s, %d bytes, sha256 of the file %x\n", rest[0], content, n, written.Sum(nil))
	return nil
}

// restore works on the folder itself: no server may run there.
func restore(ctx context.Context, e *env, args []string) error {
	fs := flags(e, "restore", "FILE [--data DIR] [--identity FILE] [--newer PACK|CHECKPOINT ...] [--cause "+strings.Join(app.RestoreCauses, "|")+"]")
	var newer list
	data := fs.String("data", "", "data `folder` (default: the user's data folder)")
	rootKey := fs.String("root-key", "", "`file` of the root key (default: DIR/keys/root.key)")
	identity := fs.String("identity", "", "`file` of the age key that the backup was encrypted to")
	cause := fs.String("cause", "", "why a backup that is older than the last signed checkpoint is put back; the log says so")
	fs.Var(&newer, "newer", "a `pack` that was delivered, or a checkpoint that a witness cosigned, which the backup must hold; may be given several times")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one backup")
	}
	r := app.RestoreRequest{Data: *data, RootKey: *rootKey, Cause: *cause}
	if r.Data == "" {
		if r.Data, err = defaultData(); err != nil {
			return err
		}
	}
	for _, path := range newer {
		note, err := evidence.CheckpointOf(path)
		if err != nil {
			return fmt.Errorf("the newer checkpoint: %w", err)
		}
		r.Newer = append(r.Newer, note)
	}
	plain, done, err := unseal(rest[0], *identity)
	if err != nil {
		return err
	}
	defer done()
	r.File = plain
	v, err := app.Restore(ctx, r)
	if err != nil {
		return err
	}
	if v.Content == "keys" {
		fmt.Fprintln(e.stdout, "the keys are in place; restore the database next")
		return nil
	}
	fmt.Fprintf(e.stdout, "the database is in place: %d entries in a log that verifies\n", v.Size)
	if v.Lost > 0 {
		fmt.Fprintf(e.stdout, "%d entries that were signed after the backup are gone; the log says so, under a new name\n", v.Lost)
	}
	return nil
}
