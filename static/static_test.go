package static

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestVendoredFilesAreWhatVendorSays compares every digest in VENDOR.md.
func TestVendoredFilesAreWhatVendorSays(t *testing.T) {
	doc, err := os.ReadFile("VENDOR.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\S+\.(?:js|svg)) \|.*\| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(doc), -1)
	if len(rows) < 2 {
		t.Fatalf("VENDOR.md lists %d files with a digest, want at least 2", len(rows))
	}
	for _, row := range rows {
		body, err := os.ReadFile(row[1])
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if got := hex.EncodeToString(sum[:]); got != row[2] {
			t.Errorf("%s: sha256 %s, VENDOR.md says %s", row[1], got, row[2])
		}
	}
}

func TestStyleSheetIsSmallAndLayered(t *testing.T) {
	css, ok := Bytes(AppCSS)
	if !ok {
		t.Fatal("no style sheet")
	}
	if len(css) > 40*1024 {
		t.Errorf("style sheet is %d bytes, limit 40 KiB", len(css))
	}
	if !strings.HasPrefix(string(css), "@layer reset, tokens, base, layout, components, utilities, print;") {
		t.Error("style sheet does not begin with the order of its layers")
	}
}

func TestHandler(t *testing.T) {
	for _, name := range []string{AppCSS, AppJS, Htmx, Icons, Favicon} {
		rec := httptest.NewRecorder()
		Handler().ServeHTTP(rec, httptest.NewRequest("GET", URL(name), nil))
		if rec.Code != 200 || rec.Body.Len() == 0 {
			t.Errorf("%s: status %d, %d bytes", name, rec.Code, rec.Body.Len())
		}
		if cc := rec.Header().Get("Cache-Control"); !strings.Contains(cc, "immutable") {
			t.Errorf("%s: Cache-Control %q", name, cc)
		}
	}
	for _, path := range []string{"/static/", "/static/000000000000/app.css", "/static/../static.go", "/static/x/static.go"} {
		rec := httptest.NewRecorder()
		Handler().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Code != 404 {
			t.Errorf("%s: status %d, want 404", path, rec.Code)
		}
	}
}

func TestScriptIsShort(t *testing.T) {
	js, _ := Bytes(AppJS)
	if n := strings.Count(string(js), "\n"); n > 300 {
		t.Errorf("app.js has %d lines, limit 300", n)
	}
}
