package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"vitrine/inference"
	"vitrine/web"
)

func init() {
	register(command{name: "version", summary: "print the version and the processor level in use", run: version})
}

func version(_ context.Context, e *env, args []string) error {
	fs := flags(e, "version", "[--json]")
	asJSON := fs.Bool("json", false, "print one JSON value")
	if rest, err := parse(fs, args); err != nil || len(rest) > 0 {
		return orUsage(err, rest)
	}
	v := map[string]string{
		"version": web.Version, "engine": inference.EngineVersion(), "cpu_level": inference.CPULevel(),
		"go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				v["revision"] = s.Value
			}
		}
	}
	if *asJSON {
		return printJSON(e.stdout, v)
	}
	fmt.Fprintf(e.stdout, "vitrine %s (engine %s), %s/%s, kernels %s, %s\n", v["version"], v["engine"], v["os"], v["arch"], v["cpu_level"], v["go"])
	return nil
}
