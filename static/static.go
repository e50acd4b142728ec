// Package static holds the console's assets inside the binary and serves them
// under addresses that contain a hash of their content, so that a browser may
// keep a file for ever and still never see a stale one.
//
// The style sheet is written in cascade layers, one file each, and served as
// one file in the order of their names. Vendored files, their versions,
// licences and digests are listed in VENDOR.md, and a test compares them.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"sort"
	"strings"
	"time"
)

//go:embed css js icons.svg favicon.svg
var files embed.FS

// Prefix is the path below which Handler expects to be mounted.
const Prefix = "/static/"

// The names of the assets that pages link to.
const (
	AppCSS  = "app.css"
	AppJS   = "js/app.js"
	Htmx    = "js/htmx.min.js"
	Icons   = "icons.svg"
	Favicon = "favicon.svg"
)

// asset is one served file.
type asset struct {
	body        []byte
	hash        string
	contentType string
}

var assets = load()

func load() map[string]asset {
	out := map[string]asset{}
	var sheets []string
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if path.Ext(name) == ".css" {
			sheets = append(sheets, name)
			return nil
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		out[name] = newAsset(name, body)
		return nil
	})
	if err != nil {
		panic("static: the embedded assets cannot be read")
	}
	sort.Strings(sheets)
	var css bytes.Buffer
	for _, name := range sheets {
		body, err := files.ReadFile(name)
		if err != nil {
			panic("static: the embedded style sheets cannot be read")
		}
		css.Write(body)
	}
	out[AppCSS] = newAsset(AppCSS, css.Bytes())
	return out
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	ct := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) {
	case ".js":
		ct = "text/javascript; charset=utf-8"
	case ".css":
		ct = "text/css; charset=utf-8"
	case ".svg":
		ct = "image/svg+xml"
	}
	return asset{body: body, hash: hex.EncodeToString(sum[:])[:12], contentType: ct}
}

// URL returns the address of the named asset, its content hash included.
// It panics on a name that is not embedded: that is a programming error.
func URL(name string) string {
	a, ok := assets[name]
	if !ok {
		panic("static: no such asset: " + name)
	}
	return Prefix + a.hash + "/" + name
}

// Bytes returns the content of the named asset; the caller must not change it.
func Bytes(name string) ([]byte, bool) {
	a, ok := assets[name]
	return a.body, ok
}

// Handler serves GET and HEAD of Prefix + hash + "/" + name with an immutable
// cache life. Any other hash or name answers 404, so that a stale page asks
// for a fresh one instead of mixing versions.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
		a, ok := assets[name]
		if !ok || hash != a.hash {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", a.contentType)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("ETag", `"`+a.hash+`"`)
		h.Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	})
}
