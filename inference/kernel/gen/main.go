// Command gen writes the assembly of package kernel: Plan 9 syntax, one file a level. Run it by `go generate` in the package's folder; a test of the package
// regenerates and compares.
package main

import (
	"flag"
	"fmt"
	"maps"
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
	var decls []string
	for _, v := range []vector{avx2, avx512} {
		w := &writer{v: v}
		w.gemm()
		w.peak()
		for _, k := range kernels {
			w.elementwise(k)
		}
		w.reductions()
		w.softmax()
		if v == avx2 {
			w.transpose()
			w.widen()
			w.coded()
			w.codedRow()
		}
		out[v.name+"_amd64.s"] = w.file()
		decls = append(decls, w.decls...)
	}
	out["asm_amd64.go"] = declarations(decls, avx2, avx512)
	maps.Copy(out, neonFiles())
	return out
}
