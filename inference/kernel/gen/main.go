// Command gen writes the assembly of package kernel: Plan 9 syntax, one file a level. Run it by `go generate` in the package's folder; a test of the package
// regenerates and compares.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "folder that receives the files")
	flag.Parse()
	for name, text := range Files() {
		if err := os.WriteFile(filepath.Join(*dir, name), []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// Files is everything the generator writes, by file name.
func Files() map[string]string {
	out := map[string]string{}
	for _, v := range []vector{avx512, avx2} {
		g := &writer{v: v}
		g.gemm()
		out[v.name+"_amd64.s"] = g.file()
	}
	out["gemm_amd64.go"] = declarations([]vector{avx512, avx2})
	return out
}
