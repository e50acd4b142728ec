package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"

	"vitrine/audit"
	evidence "vitrine/audit/report"
	"vitrine/policy"
)

func init() {
	register(command{name: "verify", summary: "check an evidence pack offline", run: verify})
}

// verify exits 0 when nothing was altered, 1 when something was, 2 when it cannot
// be decided. It reads the pack and nothing else.
func verify(_ context.Context, e *env, args []string) error {
	f := flags(e, "verify", "PACK.zip|DIR [--key FILE] [--require-key] [--trust FILE] [--previous PACK|CHECKPOINT] [--identity FILE] [--json]")
	identity := f.String("identity", "", "`file` of the age key that the pack was encrypted to")
	key := f.String("key", "", "the log's public key `file`, from its owner")
	required := f.Bool("require-key", false, "without --key nothing counts as verified")
	trust := f.String("trust", "", "trust policy `file` (C2SP tlog-policy) whose witnesses must have cosigned the root log")
	previous := f.String("previous", "", "an earlier `pack` or checkpoint of the same log, which this one must continue")
	asJSON := f.Bool("json", false, "print one JSON value")
	rest, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("give one evidence pack: a ZIP file or the folder it was unpacked to")
	}
	opt := evidence.VerifyOptions{RequireKey: *required, Redecider: &policy.Redecider{}}
	if *key != "" {
		if opt.Key, err = readKey(*key); err != nil {
			return undecided(e, *asJSON, err)
		}
	}
	if data, err := trustFile(*trust); err != nil {
		return undecided(e, *asJSON, err)
	} else if data != nil {
		if opt.Trust, err = audit.ParseTrust(data); err != nil {
			return undecided(e, *asJSON, err)
		}
	}
	opt.Previous = *previous
	pack, done, err := unseal(rest[0], *identity)
	if err != nil {
		return undecided(e, *asJSON, err)
	}
	defer done()
	r, err := evidence.VerifyPack(pack, opt)
	if err != nil {
		return undecided(e, *asJSON, err)
	}
	if *asJSON {
		if err := printJSON(e.stdout, r); err != nil {
			return err
		}
	} else {
		printVerdict(e, r)
	}
	if r.ExitCode != 0 {
		return &exitError{r.ExitCode}
	}
	return nil
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the key file: %w", err)
	}
	if info.Size() > 4096 {
		return nil, fmt.Errorf("the key file: %w", audit.ErrKey)
	}
	return os.ReadFile(path)
}

// undecided prints why there was nothing to judge and exits 2.
func undecided(e *env, asJSON bool, err error) error {
	if asJSON {
		if err := printJSON(e.stdout, evidence.VerifyResult{Verdict: evidence.Undecided, ExitCode: 2, First: -1,
			Checks: []evidence.Check{}, Findings: []evidence.Finding{}, Missing: []string{oneLine(err.Error())}}); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.stderr, "vitrine: verify: %s\n", oneLine(err.Error()))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintln(e.stderr, "hint: check the path")
	case errors.Is(err, errSealed):
		fmt.Fprintln(e.stderr, "hint: --identity takes the age key that it was encrypted to")
	case errors.Is(err, audit.ErrTrust):
		fmt.Fprintln(e.stderr, "hint: --trust takes a trust policy in the form of c2sp.org/tlog-policy")
	case errors.Is(err, audit.ErrKey):
		fmt.Fprintln(e.stderr, "hint: --key takes the log's public key, one line NAME+HASH+KEYDATA, as in keys/log.pub of a pack")
	case errors.Is(err, evidence.ErrNotPack):
		fmt.Fprintln(e.stderr, "hint: vitrine export --format pack --out FILE.zip writes one")
	}
	return &exitError{2}
}

func printVerdict(e *env, r *evidence.VerifyResult) {
	fmt.Fprintln(e.stdout, printable(r.Sentence()))
	if r.ExitCode == 1 {
		for _, f := range r.Findings[1:] {
			fmt.Fprintf(e.stdout, "  also %s\n", printable(f.String()))
		}
		if r.Omitted > 0 {
			fmt.Fprintf(e.stdout, "  and %d more\n", r.Omitted)
		}
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		word := "ok"
		if !c.OK {
			word = "FAIL"
		}
		fmt.Fprintf(w, "  %s\t%d\t%s\n", c.Name, c.N, word)
	}
	w.Flush()
	for _, x := range r.Witnesses {
		fmt.Fprintf(e.stdout, "  cosigned by %s\n", printable(x))
	}
	for _, s := range r.Silent {
		fmt.Fprintf(e.stdout, "  no checkpoint between %s and %s: the log did not run, and vouches for nothing then\n", s.From, s.To)
	}
}
