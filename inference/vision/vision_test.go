package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// pngHeader is a PNG that announces a size and holds no pixel.
func pngHeader(w, h uint32) []byte {
	ihdr := append([]byte("IHDR"), make([]byte, 13)...)
	binary.BigEndian.PutUint32(ihdr[4:], w)
	binary.BigEndian.PutUint32(ihdr[8:], h)
	ihdr[12], ihdr[13] = 8, 2
	out := append([]byte(pngMagic), 0, 0, 0, 13)
	out = append(out, ihdr...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(ihdr))
}

func TestBadPicturesAreRefused(t *testing.T) {
	jpg, pic := encoded(t, "jpeg_420.jpg"), encoded(t, "rgba.png")
	progressive := encoded(t, "jpeg_progressive_420.jpg")
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"empty":                 {nil, ErrImage},
		"text":                  {[]byte("hello"), ErrImage},
		"GIF":                   {[]byte("GIF89a"), ErrUnsupported},
		"WebP":                  {[]byte("RIFF\x00\x00\x00\x00WEBP"), ErrUnsupported},
		"20,000 × 20,000 PNG":   {pngHeader(20_000, 20_000), ErrTooLarge},
		"wide PNG":              {pngHeader(1<<31-1, 1), ErrTooLarge},
		"many pixels":           {pngHeader(16_000, 16_000), ErrTooLarge},
		"no pixels":             {pngHeader(0, 5), ErrImage},
		"header only PNG":       {pngHeader(5, 5), ErrImage},
		"PNG magic only":        {[]byte(pngMagic), ErrImage},
		"truncated PNG":         {pic[:len(pic)-40], ErrImage},
		"truncated JPEG":        {jpg[:len(jpg)/2], ErrImage},
		"JPEG without its end":  {jpg[:len(jpg)-2], ErrImage},
		"JPEG header only":      {jpg[:200], ErrImage},
		"JPEG magic only":       {jpg[:3], ErrImage},
		"truncated progressive": {progressive[:len(progressive)*2/3], ErrImage},
		"too many bytes":        {append(bytes.Clone(jpg), make([]byte, 33<<20)...), ErrTooLarge},
	} {
		p, err := Decode(c.raw, DefaultLimit)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, p, err, c.want)
			continue
		}
		if !strings.Contains(err.Error(), ";") {
			t.Errorf("%s: %q does not say what to do", name, err)
		}
	}
}

// A picture whose every byte is changed in turn never makes Decode panic.
func TestDamagedBytes(t *testing.T) {
	for _, file := range []string{"jpeg_420_9x17.jpg", "jpeg_progressive_grey.jpg", "jpeg_restart.jpg", "palette4_transparent.png"} {
		raw := encoded(t, file)
		for i := range raw {
			bad := bytes.Clone(raw)
			bad[i] ^= byte(1 + i%255)
			if p, err := Decode(bad, Limit{1 << 20, 2000, 1 << 20}); err == nil && len(p.Pix) != p.Width*p.Height*p.Channels {
				t.Fatalf("%s byte %d: %d bytes for %d × %d", file, i, len(p.Pix), p.Width, p.Height)
			}
		}
	}
}

// Pictures by another encoder, of random sizes, agree with the standard
// library's decoder up to its own transform and its plain upsampling.
func TestJPEGAgreesWithStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		w, h := 1+r.IntN(70), 1+r.IntN(70)
		img := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				i := img.PixOffset(x, y)
				img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byte(3*x), byte(2*y), byte(x+y), 255
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		p, err := Decode(b.Bytes(), DefaultLimit)
		if err != nil {
			t.Fatal(err)
		}
		other, err := jpeg.Decode(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		worst := 0
		for i := range w * h {
			cr, cg, cb, _ := other.At(i%w, i/w).RGBA()
			for ch, v := range [3]uint32{cr, cg, cb} {
				d := int(p.Pix[3*i+ch]) - int(v>>8)
				worst = max(worst, d, -d)
			}
		}
		if worst > 24 {
			t.Errorf("%d × %d: differs by %d", w, h, worst)
		}
	}
}

func TestEightOrientations(t *testing.T) {
	p := &Picture{Width: 3, Height: 2, Channels: 1, Pix: []byte("abcdef")}
	for o, want := range map[int]string{0: "abcdef", 1: "abcdef", 2: "cbafed", 3: "fedcba", 4: "defabc", 5: "adbecf", 6: "daebfc", 7: "fcebda", 8: "cfbead", 9: "abcdef"} {
		if got := string(upright(p, o).Pix); got != want {
			t.Errorf("orientation %d: %s, want %s", o, got, want)
		}
	}
}

func TestPNGOrientation(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	exif := append([]byte("eXIf"), "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(exif)-4))
	chunk = binary.BigEndian.AppendUint32(append(chunk, exif...), crc32.ChecksumIEEE(exif))
	raw := append(bytes.Clone(b.Bytes()[:33]), append(chunk, b.Bytes()[33:]...)...)
	p, err := Decode(raw, DefaultLimit)
	if err != nil || p.Width != 2 || p.Height != 3 {
		t.Errorf("%+v %v, want 2 × 3", p, err)
	}
}

// The shipped digit model takes one channel: colour becomes luma, and a colour
// picture with equal channels gives what the grey picture gives.
func TestOneChannelModel(t *testing.T) {
	p, err := LoadProcessor(os.DirFS("../pretrained/digits-resnet"), 1)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../pretrained/digits-resnet/examples/digit-3-1.png")
	if err != nil {
		t.Fatal(err)
	}
	pixels, shape, err := p.Process(raw)
	if err != nil || len(shape) != 3 || shape[0] != 1 || shape[1] != 28 || shape[2] != 28 || len(pixels) != 784 {
		t.Fatalf("shape %v, %d pixels, %v", shape, len(pixels), err)
	}
	grey, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	wide := image.NewNRGBA(grey.Bounds())
	for y := range 28 {
		for x := range 28 {
			wide.Set(x, y, grey.At(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, wide); err != nil {
		t.Fatal(err)
	}
	again, _, err := p.Process(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for i := range pixels {
		if pixels[i] != again[i] {
			t.Fatalf("pixel %d: %g grey, %g colour", i, pixels[i], again[i])
		}
	}
}

func TestBadConfigsAreRefused(t *testing.T) {
	vit := `{"image_processor_type":"ViTImageProcessor"`
	for name, c := range map[string]struct {
		raw      string
		channels int
		want     error
	}{
		"not JSON":       {`{`, 3, ErrConfig},
		"unknown kind":   {`{"image_processor_type":"XImageProcessor"}`, 3, ErrUnsupported},
		"no kind":        {`{}`, 3, ErrUnsupported},
		"zero size":      {vit + `,"size":{"height":0,"width":5}}`, 3, ErrConfig},
		"huge size":      {vit + `,"size":{"height":100000,"width":5}}`, 3, ErrConfig},
		"bad filter":     {vit + `,"resample":77}`, 3, ErrConfig},
		"zero std":       {vit + `,"image_std":[0,1,1]}`, 3, ErrConfig},
		"short mean":     {vit + `,"image_mean":[0.5,0.5]}`, 3, ErrConfig},
		"two channels":   {vit + `}`, 2, ErrConfig},
		"tiny crop_pct":  {`{"image_processor_type":"ConvNextImageProcessor","crop_pct":0.000001,"size":{"shortest_edge":224}}`, 3, ErrConfig},
		"size is text":   {vit + `,"size":"big"}`, 3, ErrConfig},
		"zero crop size": {`{"image_processor_type":"CLIPImageProcessor","crop_size":0}`, 3, ErrConfig},
	} {
		if _, err := ParseProcessor([]byte(c.raw), c.channels); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := LoadProcessor(fstest.MapFS{}, 3); err == nil {
		t.Error("a folder without preprocessor_config.json was accepted")
	}
}

// A ribbon of pixels must not be blown up to a picture that fills the memory.
func TestNarrowPictureIsRefused(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 16000))); err != nil {
		t.Fatal(err)
	}
	p, err := ParseProcessor([]byte(`{"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":224}}`), 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Process(b.Bytes()); !errors.Is(err, ErrImage) {
		t.Errorf("%v, want %v", err, ErrImage)
	}
}

func TestEveryKindAcceptsItsDefaults(t *testing.T) {
	for name := range kinds {
		p, err := ParseProcessor([]byte(`{"image_processor_type":"`+name+`ImageProcessorFast"}`), 3)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pixels, shape, err := p.Process(encoded(t, "gradient.png"))
		if err != nil || len(shape) != 3 || len(pixels) != shape[0]*shape[1]*shape[2] {
			t.Errorf("%s: shape %v, %d pixels, %v", name, shape, len(pixels), err)
		}
		if h, w := p.Size(); h != shape[1] || w != shape[2] {
			t.Errorf("%s: announces %d × %d, gives %v", name, h, w, shape)
		}
	}
}

// FuzzDecode: any bytes give a picture of the announced size or an error.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"one.png", "palette2_interlaced.png", "grey16.png", "rgba16.png", "jpeg_420_1x1.jpg", "jpeg_422_17x9.jpg", "jpeg_progressive_grey.jpg", "jpeg_restart.jpg", "jpeg_cmyk_adobe.jpg", "jpeg_orientation6.jpg"} {
		f.Add(encoded(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Decode(raw, Limit{1 << 20, 512, 1 << 16})
		if err == nil && (p.Width < 1 || p.Height < 1 || len(p.Pix) != p.Width*p.Height*p.Channels) {
			t.Fatalf("%d × %d × %d with %d bytes", p.Width, p.Height, p.Channels, len(p.Pix))
		}
	})
}

// FuzzProcessor: no config makes a small picture grow without bounds or panic.
func FuzzProcessor(f *testing.F) {
	for _, c := range goldenCases(f, "image-processor") {
		f.Add([]byte(c.Processor))
	}
	pic := encoded(f, "three_by_five.png")
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParseProcessor(raw, 3)
		if err != nil || p.plan.outW > 600 || p.plan.outH > 600 {
			return
		}
		if pixels, shape, err := p.Process(pic); err == nil && len(pixels) != shape[0]*shape[1]*shape[2] {
			t.Fatalf("shape %v with %d pixels", shape, len(pixels))
		}
	})
}

func BenchmarkDecodeLargeJPEG(b *testing.B) {
	raw := encoded(b, "jpeg_large.jpg")
	for b.Loop() {
		if _, err := Decode(raw, DefaultLimit); err != nil {
			b.Fatal(err)
		}
	}
}
