package conformance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"vitrine/inference"
	"vitrine/inference/conformance"
)

func init() {
	conformance.Register(conformance.Group{
		Name:  "explain",
		Match: func(f conformance.Folder) bool { return f.Head.Checkpoint != "" },
		Run: func(ctx context.Context, f conformance.Folder, emit func(conformance.Comparison)) error {
			return Compare(ctx, f.FS, f.Path, emit)
		},
	})
}

// runner compares one case; it reports every value it can make and names those it cannot.
type runner func(ctx context.Context, s *subject) error

// runners by the method's name in the references. Each file registers its own from init().
var runners = map[string]runner{}

func register(method string, r runner) {
	if _, ok := runners[method]; ok || method == "" || r == nil {
		panic("conformance: register: duplicate or incomplete method " + method)
	}
	runners[method] = r
}

// outOfScope is the only group of methods that will not come: a patent notice exists for them.
const outOfScope = "LRP"

// Compare runs all cases of one golden folder of explanations and emits a comparison for each expected value. name
// is what the comparisons are called, usually the folder's path. An error means that the folder cannot be read.
func Compare(ctx context.Context, fsys fs.FS, name string, emit func(conformance.Comparison)) error {
	f, err := openFolder(fsys)
	if f != nil {
		defer f.close()
	}
	if f != nil && errors.Is(err, inference.ErrUnsupported) {
		for i := range f.Cases {
			why := fmt.Sprintf("the engine does not run %s", f.Architecture)
			if f.Cases[i].Method == outOfScope {
				why = "out of scope"
			}
			emit(conformance.Comparison{Name: name + "/" + f.Cases[i].Name, What: f.Cases[i].Method, Status: conformance.Unsupported, Why: why})
		}
		return nil
	}
	if err != nil {
		return err
	}
	for i := range f.Cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.runCase(ctx, &f.Cases[i], name, emit)
	}
	return nil
}

func (f *folder) runCase(ctx context.Context, c *goldenCase, name string, emit func(conformance.Comparison)) {
	name += "/" + c.Name
	line := func(what, status, why string) {
		emit(conformance.Comparison{Name: name, What: what, Status: status, Why: why})
	}
	run, ok := runners[c.Method]
	switch {
	case c.Method == outOfScope:
		line(c.Method, conformance.Unsupported, "out of scope")
		return
	case !ok:
		line(c.Method, conformance.Unsupported, "the method is not built yet")
		return
	}
	compared := map[string]bool{}
	s, err := f.prepare(c)
	if err == nil {
		s.report = func(what string, largest, allowed float64, ok bool, why error) {
			compared[what] = true
			out := conformance.Comparison{Name: name, What: what, Largest: largest, Allowed: allowed, Status: conformance.OK}
			switch {
			case why != nil && errors.Is(why, errUnsupported):
				out.Status, out.Why = conformance.Unsupported, reason(why)
			case why != nil:
				out.Status, out.Why = conformance.Fail, why.Error()
			case !ok:
				out.Status = conformance.Fail
			}
			emit(out)
		}
		err = run(ctx, s)
	}
	switch {
	case errors.Is(err, errUnsupported):
		line(c.Method, conformance.Unsupported, reason(err))
	case err != nil:
		line(c.Method, conformance.Fail, err.Error())
	default:
		for _, what := range c.Expect {
			if !compared[what] {
				line(what, conformance.Unsupported, "this value is not built yet")
			}
		}
	}
}

// reason is the text of an unsupported error without its prefix.
func reason(err error) string {
	prefix := errUnsupported.Error() + ": "
	if text := err.Error(); len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):]
	}
	return err.Error()
}
