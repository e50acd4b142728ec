// Command vitrine is the whole product in one static binary: server, command
// line, verifier. See `vitrine help` for its commands; exit codes are 0 done,
// 1 failed (verify: tampered), 2 wrong usage (verify: cannot decide), 3 refused
// by the policy.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}
