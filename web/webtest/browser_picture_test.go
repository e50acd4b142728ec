package webtest

import (
	"bytes"
	"image/png"
	"os"
	"testing"

	"vitrine/policy"
)

// readmePicture is the picture of README.md, made by the program itself.
const readmePicture = "../../.github/prediction.png"

// TestReadmePicture: the picture exists and is what README promises; with
// -update it is made anew from the demo's first explained prediction.
func TestReadmePicture(t *testing.T) {
	if *update {
		b := open(t, policy.Analyst)
		b.follow("/help?theme=light&lang=en")
		b.follow(pages(t)["prediction-text"])
		b.js(`document.activeElement.blur(), window.scrollTo(0, 0), true`, nil)
		if err := os.MkdirAll("../../.github", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(readmePicture, b.picture(1360), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(readmePicture)
	if err != nil {
		t.Fatalf("%v (make it with go test ./web/webtest -run ReadmePicture -update)", err)
	}
	c, err := png.DecodeConfig(bytes.NewReader(raw))
	if err != nil || c.Width != 1280 || len(raw) > 400<<10 {
		t.Errorf("%d pixels wide, %d bytes, %v; want a PNG of 1280 pixels and at most 400 KiB", c.Width, len(raw), err)
	}
}
