package web

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The document itself is tried against a running server by schemathesis 4:
//
//	schemathesis run http://127.0.0.1:8080/api/openapi.json -H "Authorization: Bearer $KEY" --checks all
//
// with a key of each role; it must end without a failure.

func parsedDocument(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(document(), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestDocumentHoldsEveryRoute: a route that has a description is in the document
// under its path, with its parameters, and its failures are documented.
func TestDocumentHoldsEveryRoute(t *testing.T) {
	paths := parsedDocument(t)["paths"].(map[string]any)
	ids := map[string]bool{}
	count := 0
	for _, r := range sortedRoutes() {
		if r.doc == nil {
			if isAPI(r.path) || strings.HasPrefix(r.path, "/hf/") {
				t.Errorf("%s %s is of the API and has no description", r.method, r.path)
			}
			continue
		}
		count++
		path := strings.ReplaceAll(regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.path, "{$1}"), "*", "{path}")
		item, _ := paths[path].(map[string]any)
		op, _ := item[strings.ToLower(r.method)].(map[string]any)
		if op == nil {
			t.Errorf("%s %s is not in the document", r.method, path)
			continue
		}
		id := op["operationId"].(string)
		if ids[id] {
			t.Errorf("operation id %s is there twice", id)
		}
		ids[id] = true
		if op["summary"] == "" {
			t.Errorf("%s has no summary", id)
		}
		wanted := []int{500, 503}
		if r.access != Public {
			wanted = append(wanted, 401, 403)
		}
		if r.doc.Body != nil {
			wanted = append(wanted, 400, 413, 415, 422)
		}
		if r.doc.Query != nil {
			wanted = append(wanted, 400, 422)
		}
		if strings.ContainsAny(r.path, ":*") {
			wanted = append(wanted, 404)
		}
		responses := op["responses"].(map[string]any)
		for _, status := range wanted {
			if responses[strconv.Itoa(status)] == nil {
				t.Errorf("%s does not document status %d", id, status)
			}
		}
	}
	if total := operations(paths); total != count {
		t.Errorf("the document has %d operations, the route table %d", total, count)
	}
}

func operations(paths map[string]any) (n int) {
	for _, item := range paths {
		n += len(item.(map[string]any))
	}
	return n
}

// TestDocumentReferencesResolve walks the whole document: each $ref leads
// somewhere, each pattern compiles, no list of required fields repeats one.
func TestDocumentReferencesResolve(t *testing.T) {
	doc := parsedDocument(t)
	defs := doc["components"].(map[string]any)["schemas"].(map[string]any)
	used := map[string]bool{}
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch x := v.(type) {
		case []any:
			for i, e := range x {
				walk(e, at+"/"+strconv.Itoa(i))
			}
		case map[string]any:
			if ref, ok := x["$ref"].(string); ok {
				name := strings.TrimPrefix(ref, "#/components/schemas/")
				if used[name] = true; defs[name] == nil {
					t.Errorf("%s leads to %s, which is not there", at, ref)
				}
			}
			if p, ok := x["pattern"].(string); ok {
				if _, err := regexp.Compile(p); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
			if list, ok := x["required"].([]any); ok {
				seen := map[any]bool{}
				for _, name := range list {
					if seen[name] {
						t.Errorf("%s requires %v twice", at, name)
					}
					seen[name] = true
				}
			}
			for k, e := range x {
				walk(e, at+"/"+k)
			}
		}
	}
	walk(doc, "#")
	for name := range defs {
		if !used[name] {
			t.Errorf("the type %s is described and not used", name)
		}
	}
}

func TestTwoRoutesWithOnePatternFail(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a second route with the same method and pattern was taken")
		}
	}()
	add(route{method: http.MethodGet, path: "/healthz", access: Public, handler: func(*Context) error { return nil }})
}

// TestRoutersPatternsAreDistinct: patterns that differ in the names of their
// parameters only are one pattern to the router.
func TestRoutersPatternsAreDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, r := range sortedRoutes() {
		key := r.method + " " + regexp.MustCompile(`:\w+`).ReplaceAllString(r.path, ":")
		if other := seen[key]; other != "" {
			t.Errorf("%s and %s are one pattern", other, r.path)
		}
		seen[key] = r.path
	}
}

func TestBodiesAreHeldAgainstTheDocument(t *testing.T) {
	for _, x := range []struct{ body, want string }{
		{`{"model":"m","text":"x"}`, ""},
		{`{"model":"m","text":"x","explain":{"method":"saliency","seed":3.0}}`, ""},
		{`{"text":"x"}`, "the field model is missing"},
		{`{"model":null,"text":"x"}`, "the field model must be a string"},
		{`{"model":"m"}`, "the field text is missing"},
		{`{"model":"m","text":"x","Model":"y"}`, "the body has a field that is not known"},
		{`{"model":"m","text":7}`, "the field text must be a string"},
		{`{"model":"m","image":"a"}`, "the field image is not base64"},
		{`{"model":"m","text":"x","explain":{"method":"saliency","seed":0.5}}`, "the field explain.seed must be an integer"},
		{`{"model":"m","text":"x","explain":{"method":"saliency","seed":-1}}`, "the field explain.seed is less than 0"},
		{`[]`, "the body must be an object"},
	} {
		d := json.NewDecoder(strings.NewReader(x.body))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		got := ""
		if f := checkBody(reflect.TypeFor[predictBody](), v); f != nil {
			got = f.Error()
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q", x.body, got, x.want)
		}
	}
}

func TestLoneSurrogates(t *testing.T) {
	for s, want := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\\ud83d"`: false, `"\u00e9"`: false, `"\ud83d\ude00\ud83d\ude00"`: false,
		`"\ud83d"`: true, `"\ude00"`: true, `"\ud83dx"`: true, `"\ud83d\ud83d"`: true, `"\ud83d`: true, `"\`: false, `"\u12`: false,
	} {
		if got := loneSurrogate([]byte(s)); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}
