package conformance

import "context"

func init() {
	Register(Group{Name: "gguf", Match: func(f Folder) bool { return f.Head.Family == "gguf" }, Run: runGGUF})
}

// runGGUF reports that no GGUF reader is built in.
func runGGUF(_ context.Context, f Folder, emit func(Comparison)) error {
	emit(unsupported(f.Path, "file", "GGUF files are not read"))
	return nil
}
