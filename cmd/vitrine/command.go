package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"vitrine/inference"
	"vitrine/inference/kernel"
)

// env is what a command may touch of the process, so that tests can run
// commands without one.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// command is one subcommand. run gets the arguments after the name and returns
// nil (exit 0), an *exitError (its code), a *usageError (exit 2), an error that
// the policy refused (exit 3) or any other error (exit 1).
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, e *env, args []string) error
}

var commands = map[string]command{}

// register adds a subcommand; each file of this folder calls it from init.
func register(c command) {
	if c.name == "" || c.run == nil || commands[c.name].run != nil {
		panic("vitrine: invalid or duplicate command " + c.name)
	}
	commands[c.name] = c
}

// usageError is wrong usage: exit code 2.
type usageError struct{ msg string }

func (u *usageError) Error() string { return u.msg }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exitError ends the command with a code of its own and prints nothing: the
// command has already said what there is to say.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// hinted is an error that knows what the reader can do about it.
type hinted interface{ Hint() string }

// refused is an error that means the policy said no: exit code 3.
type refused interface{ Refused() bool }

type withHint struct {
	error
	hint string
}

func (w *withHint) Hint() string  { return w.hint }
func (w *withHint) Unwrap() error { return w.error }

// run dispatches one command line and returns the exit code.
func run(ctx context.Context, e *env, args []string) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		help(e.stdout)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	c, ok := commands[args[0]]
	if !ok {
		return report(e, args[0], usagef("no such command"))
	}
	if err := kernel.LevelError(); err != nil {
		return report(e, c.name, &usageError{err.Error()})
	}
	if _, err := inference.MemoryBudget(); err != nil {
		return report(e, c.name, &usageError{err.Error()})
	}
	return report(e, c.name, c.run(ctx, e, args[1:]))
}

// report prints err the one way every command does and returns its exit code.
func report(e *env, name string, err error) int {
	var (
		exit  *exitError
		usage *usageError
		hint  hinted
		deny  refused
	)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &exit):
		return exit.code
	}
	fmt.Fprintf(e.stderr, "vitrine: %s: %s\n", name, oneLine(err.Error()))
	code := 1
	text := ""
	if errors.As(err, &hint) {
		text = hint.Hint()
	}
	if errors.As(err, &usage) {
		code = 2
		if text == "" {
			text = "vitrine help lists the commands; vitrine " + name + " -h its flags"
		}
	}
	if errors.As(err, &deny) && deny.Refused() {
		code = 3
	}
	if text != "" {
		fmt.Fprintf(e.stderr, "hint: %s\n", oneLine(text))
	}
	return code
}

func oneLine(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }

// printable writes characters that a terminal would obey, such as escape
// sequences in the name of a hostile file, as what they are.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !strconv.IsGraphic(r) }) < 0 {
		return s
	}
	q := strconv.QuoteToGraphic(s)
	return q[1 : len(q)-1]
}

func help(w io.Writer) {
	fmt.Fprint(w, "vitrine runs AI models, shows why they answered, decides who may ask, and proves what happened.\n\nusage: vitrine COMMAND [flags]\n\n")
	names := make([]string, 0, len(commands))
	for n := range commands {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(w, "  %-12s %s\n", n, commands[n].summary)
	}
	fmt.Fprint(w, "\nvitrine COMMAND -h shows the flags of a command.\n")
}

// flags is a flag set that prints its usage to the command's output and turns
// every parse error into wrong usage.
func flags(e *env, name, usage string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintf(e.stdout, "usage: vitrine %s %s\n\n", name, usage)
		fs.SetOutput(e.stdout)
		fs.PrintDefaults()
		fs.SetOutput(io.Discard)
	}
	return fs
}

// parse reads flags that may stand before and after the positional arguments.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, &usageError{err.Error()}
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
