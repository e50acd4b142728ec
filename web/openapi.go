package web

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Doc is what the OpenAPI document says of one route.
type Doc struct {
	Summary string
	Body    any   // a value of the request type, nil for none
	Reply   any   // a value of the reply type, nil for Media alone
	Status  int   // of success; 0 means 200
	Query   []Arg // query parameters
	Path    map[string]string
	Media   string // reply's media type; empty means application/json
	Large   bool   // the body may hold a picture
	Raw     bool   // the body may also be the bytes of a picture
	Extra   []int  // failure statuses beside those every route can give
}

// Arg is a query parameter.
type Arg struct {
	Name, Summary string
	Schema        map[string]any
}

type obj = map[string]any

var pathParam = regexp.MustCompile(`:([a-zA-Z]+)|\*`)

func init() {
	api(http.MethodGet, "/api/openapi.json", Public, Doc{Summary: "This document"}, openAPI)
}

var document = sync.OnceValue(buildDocument)

// documentSchemas are the named types of the document; complete, and only read,
// once document has been called.
var documentSchemas = &schemas{defs: obj{}, closed: map[string]bool{}}

// checkBody holds a decoded body against what the document says of its type.
func checkBody(t reflect.Type, v any) *fault {
	document()
	return documentSchemas.check(obj{"$ref": "#/components/schemas/" + schemaName(t)}, v, "")
}

// openAPI answers with the OpenAPI 3.1 document generated from the route table.
func openAPI(c *Context) error {
	return c.JSONBlob(http.StatusOK, document())
}

func buildDocument() []byte {
	b := documentSchemas
	paths := obj{}
	for _, r := range sortedRoutes() {
		if r.doc == nil {
			continue
		}
		p := pathParam.ReplaceAllStringFunc(r.path, func(s string) string { return "{" + strings.Trim(s+"path", ":*")[:paramLen(s)] + "}" })
		item, _ := paths[p].(obj)
		if item == nil {
			item = obj{}
			paths[p] = item
		}
		item[strings.ToLower(r.method)] = b.operation(r)
	}
	doc := obj{
		"openapi": "3.1.0",
		"info":    obj{"title": "Vitrine", "version": Version, "license": obj{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"paths":   paths,
		"components": obj{
			"schemas": b.defs,
			"securitySchemes": obj{
				"key":     obj{"type": "http", "scheme": "bearer", "description": "an API key of vitrine key add"},
				"session": obj{"type": "apiKey", "in": "cookie", "name": "vitrine-session"},
			},
		},
	}
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		panic("web: the OpenAPI document does not marshal")
	}
	return out
}

// paramLen is the length of a parameter's name: ":id" gives 2, "*" gives the
// four letters of "path".
func paramLen(s string) int {
	if s == "*" {
		return 4
	}
	return len(s) - 1
}

func (b *schemas) operation(r route) obj {
	d := r.doc
	op := obj{"summary": d.Summary, "operationId": operationID(r)}
	if r.access != Public {
		op["security"] = []obj{{"key": []string{}}, {"session": []string{}}}
		op["x-vitrine-action"] = string(r.access)
	}
	var params []obj
	for _, m := range pathParam.FindAllStringSubmatch(r.path, -1) {
		name := m[1]
		if name == "" {
			name = "path"
		}
		s := obj{"type": "string", "minLength": 1}
		if pattern := d.Path[name]; pattern != "" {
			s["pattern"] = pattern
		}
		params = append(params, obj{"name": name, "in": "path", "required": true, "schema": s})
	}
	for _, q := range d.Query {
		params = append(params, obj{"name": q.Name, "in": "query", "description": q.Summary, "schema": q.Schema})
	}
	if params != nil {
		op["parameters"] = params
	}
	if d.Body != nil {
		content := obj{"application/json": obj{"schema": b.of(reflect.TypeOf(d.Body), true)}}
		if d.Raw {
			for _, t := range []string{"image/png", "image/jpeg"} {
				content[t] = obj{"schema": obj{"type": "string", "contentMediaType": t}}
			}
		}
		op["requestBody"] = obj{"required": true, "content": content}
	}
	op["responses"] = b.responses(r)
	return op
}

func (b *schemas) responses(r route) obj {
	d := r.doc
	status := d.Status
	if status == 0 {
		status = http.StatusOK
	}
	ok := obj{"description": "done"}
	media := d.Media
	if media == "" {
		media = "application/json"
	}
	switch {
	case d.Reply != nil:
		ok["content"] = obj{media: obj{"schema": b.of(reflect.TypeOf(d.Reply), false)}}
	case status == http.StatusNoContent:
	default:
		ok["content"] = obj{media: obj{"schema": obj{}}}
	}
	out := obj{strconv.Itoa(status): ok}
	fails := append([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusInternalServerError, http.StatusServiceUnavailable}, d.Extra...)
	if r.access != Public {
		fails = append(fails, http.StatusUnauthorized)
	}
	if strings.ContainsAny(r.path, ":*") {
		fails = append(fails, http.StatusNotFound)
	}
	if r.method != http.MethodGet {
		fails = append(fails, http.StatusInsufficientStorage)
	}
	if d.Query != nil {
		fails = append(fails, http.StatusUnprocessableEntity)
	}
	if d.Body != nil {
		fails = append(fails, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	}
	for _, f := range fails {
		shape := b.of(reflect.TypeOf(Problem{}), false)
		media := "application/problem+json"
		if strings.HasPrefix(r.path, "/hf/") {
			shape, media = b.of(reflect.TypeOf(hfError{}), false), "application/json"
		}
		out[strconv.Itoa(f)] = obj{"description": http.StatusText(f), "content": obj{media: obj{"schema": shape}}}
	}
	return out
}

func operationID(r route) string {
	words := strings.FieldsFunc(strings.ReplaceAll(r.path, "*", "path"), func(c rune) bool { return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') })
	return strings.ToLower(r.method) + "_" + strings.Join(words, "_")
}

// schemas collects the named types of the document.
type schemas struct {
	defs   obj
	closed map[string]bool // by name: a type that is read, not written
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// of is the JSON schema of a Go type as encoding/json writes it. closed adds
// that unknown fields are refused, which is true of what we read.
func (b *schemas) of(t reflect.Type, closed bool) obj {
	switch {
	case t == timeType:
		return obj{"type": "string", "format": "date-time"}
	case t == rawType:
		return obj{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := b.of(t.Elem(), closed)
		return obj{"anyOf": []obj{s, {"type": "null"}}}
	case reflect.String:
		return obj{"type": "string"}
	case reflect.Bool:
		return obj{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return obj{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if closed { // what every JSON reader holds exactly
			return obj{"type": "integer", "minimum": -float64(1<<53 - 1), "maximum": float64(1<<53 - 1)}
		}
		return obj{"type": "integer"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			s := obj{"type": "string", "contentEncoding": "base64"}
			if closed {
				s["pattern"], s["x-pattern-says"] = schemaPatterns["base64"], "is not base64"
			}
			return s
		}
		if closed {
			return obj{"type": "array", "items": b.of(t.Elem(), closed)}
		}
		return obj{"type": []string{"array", "null"}, "items": b.of(t.Elem(), closed)}
	case reflect.Map:
		s := obj{"type": "object", "additionalProperties": b.of(t.Elem(), closed)}
		if !closed {
			s["type"] = []string{"object", "null"}
		}
		return s
	case reflect.Struct:
		return b.ref(t, closed)
	}
	return obj{} // interface: any value
}

func (b *schemas) ref(t reflect.Type, closed bool) obj {
	name := schemaName(t)
	if name == "" {
		return b.structure(t, closed)
	}
	if was, done := b.closed[name]; done && was != closed {
		panic("web: " + name + " is read and written; the document needs two types")
	}
	b.closed[name] = closed
	if _, done := b.defs[name]; !done {
		b.defs[name] = obj{} // stops recursion
		b.defs[name] = b.structure(t, closed)
	}
	return obj{"$ref": "#/components/schemas/" + name}
}

func schemaName(t reflect.Type) string {
	name := t.Name()
	if pkg := t.PkgPath(); name != "" && pkg != "vitrine/web" {
		name = pkg[strings.LastIndexByte(pkg, '/')+1:] + "." + name
	}
	return name
}

func (b *schemas) structure(t reflect.Type, closed bool) obj {
	props := obj{}
	required := []string{}
	b.fields(t, closed, props, &required)
	s := obj{"type": "object", "properties": props}
	if len(required) > 0 {
		s["required"] = required
	}
	if closed {
		s["additionalProperties"] = false
	}
	if more := schemaRules[schemaName(t)]; more != nil {
		maps.Copy(s, more())
	}
	return s
}

func (b *schemas) fields(t reflect.Type, closed bool, props obj, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			b.fields(f.Type, closed, props, required)
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		s := b.of(f.Type, closed)
		applyTag(s, f.Tag.Get("schema"))
		props[name] = s
		if !strings.Contains(opts, "omitempty") && !strings.Contains(opts, "omitzero") && !slices.Contains(*required, name) {
			*required = append(*required, name)
		}
	}
}
