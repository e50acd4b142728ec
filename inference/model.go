package inference

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vitrine/inference/family"
	"vitrine/inference/graph"
	"vitrine/inference/nn"
	"vitrine/inference/task"
	"vitrine/inference/tokenizer"
	"vitrine/inference/vision"
	"vitrine/inference/weights"
)

// The three ways in which the engine says no. Every error of this package wraps one of them or a context error.
var (
	// ErrInput: the input cannot be used (empty, not UTF-8, too large, not an image); the caller can correct it.
	ErrInput = errors.New("input not usable")
	// ErrModel: the checkpoint is broken (missing tensor, wrong shape, hostile header).
	ErrModel = errors.New("model not usable")
	// ErrUnsupported: a known thing that this engine does not run (yet), named in the message.
	ErrUnsupported = errors.New("not supported")
)

// maxSmallFile bounds config files and model cards.
const maxSmallFile = 4 << 20

// Model is a loaded checkpoint. It is safe for use by several goroutines.
type Model struct {
	info         Info
	desc         family.Description
	net          family.Network
	task         task.Task
	tok          tokenizer.Tokenizer
	proc         *vision.Processor
	plans        planCache
	digesting    *digesting
	continuation continuation
	unfused      bool // tests compare with graphs that were not fused
}

// Open loads the checkpoint of a hub folder (config.json, *.safetensors, tokenizer or image processor files) or of a GGUF file.
func Open(dir string) (*Model, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("inference: opening model: %w: %w", ErrModel, err)
	}
	if !info.IsDir() {
		return OpenFile(os.DirFS(filepath.Dir(dir)), filepath.Base(dir), dir)
	}
	return OpenFS(os.DirFS(dir), dir)
}

// OpenFS loads the checkpoint of a hub folder held by any file system; name is what errors and Info call it.
func OpenFS(fsys fs.FS, name string) (*Model, error) {
	m := &Model{}
	if err := m.load(fsys); err != nil {
		return nil, fmt.Errorf("inference: opening %s: %w", name, classify(err))
	}
	m.info.Name = name
	return m, nil
}

// Close releases the model. Weights live in memory, so nothing else depends on it.
func (m *Model) Close() error {
	m.digesting.cancel()
	<-m.digesting.done
	m.plans.clear()
	return nil
}

// classify puts an error of the packages below under one of this package's sentinels.
func classify(err error) error {
	for _, c := range []struct{ from, to error }{
		{ErrInput, nil}, {ErrModel, nil}, {ErrUnsupported, nil},
		{family.ErrUnsupported, ErrUnsupported}, {weights.ErrUnsupported, ErrUnsupported},
		{tokenizer.ErrUnsupported, ErrUnsupported}, {vision.ErrUnsupported, ErrUnsupported},
		{tokenizer.ErrText, ErrInput}, {vision.ErrImage, ErrInput}, {vision.ErrTooLarge, ErrInput},
		{graph.ErrTooLarge, ErrInput}, {task.ErrNoMask, ErrInput}, {task.ErrNoContext, ErrInput},
		{family.ErrConfig, ErrModel}, {nn.ErrCheckpoint, ErrModel}, {weights.ErrFormat, ErrModel},
		{tokenizer.ErrFormat, ErrModel}, {vision.ErrConfig, ErrModel}, {fs.ErrNotExist, ErrModel},
	} {
		if errors.Is(err, c.from) {
			if c.to == nil {
				return err
			}
			return fmt.Errorf("%w: %w", c.to, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrModel, err)
}

func (m *Model) load(fsys fs.FS) error {
	stamp, err := weights.Stamp(fsys)
	if err != nil {
		return err
	}
	c, err := openCheckpoint(fsys)
	if err != nil {
		return err
	}
	defer c.weights.Close()
	if m.net, err = family.Load(family.Source{Config: c.config, FS: fsys, Weights: c.weights}); err != nil {
		return err
	}
	m.desc = m.net.Describe()
	t, ok := task.Lookup(m.desc.Task)
	if !ok {
		return fmt.Errorf("task %q: %w", m.desc.Task, ErrUnsupported)
	}
	m.task = t
	switch {
	case m.desc.Modality == "image" && exists(fsys, "preprocessor_config.json"):
		m.proc, err = vision.LoadProcessor(fsys, m.desc.ImageChannels)
	case m.desc.Modality == "text":
		m.tok, err = c.tokenizer()
		m.continuation.chat, m.continuation.chatErr = c.chat()
	}
	if err != nil {
		return err
	}
	if m.tok != nil && m.tok.VocabSize() > m.desc.Vocab {
		return fmt.Errorf("%w: the tokenizer has %d entries, the model's vocabulary %d; the files do not belong together", ErrModel, m.tok.VocabSize(), m.desc.Vocab)
	}
	m.describe(c.weights)
	m.readCard(fsys)
	m.digesting = startDigests(fsys, stamp)
	return nil
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}

// bareSize is the picture size reported for an image checkpoint without a processor.
const bareSize = 224

func (m *Model) describe(file *weights.File) {
	d := m.desc
	m.info = Info{Family: d.Family, Architecture: d.Architecture, Task: d.Task, Modality: d.Modality, Labels: d.Labels,
		Layers: d.Layers, Heads: d.Heads, Hidden: d.Hidden, MaxTokens: d.MaxTokens, ImageChannels: d.ImageChannels, Taps: Taps(d.Taps)}
	byType := map[string]int{}
	for _, name := range file.Names() {
		t, _ := file.Tensor(name)
		if strings.HasPrefix(t.DType, "F") || t.DType == "BF16" {
			m.info.Parameters += int64(t.Elements())
			byType[t.DType] += t.Elements()
		}
	}
	for dtype, n := range byType {
		if best := byType[m.info.DType]; n > best || n == best && dtype < m.info.DType {
			m.info.DType = dtype
		}
	}
	m.info.SpecialIDs = SpecialIDs{-1, -1, -1, -1, -1, -1, -1}
	if m.tok != nil {
		m.info.TokenizerDigest = m.tok.Digest()
		m.info.SpecialIDs = SpecialIDs(m.tok.Special())
	}
	if d.Modality == "image" {
		m.info.ImageHeight, m.info.ImageWidth = bareSize, bareSize
	}
	if m.proc != nil {
		m.info.ImageHeight, m.info.ImageWidth = m.proc.Size()
	}
}

func (m *Model) readCard(fsys fs.FS) {
	for _, name := range []string{"MODEL_CARD.md", "README.md"} {
		if card, err := readSmall(fsys, name); err == nil {
			m.info.Card = strings.ToValidUTF8(string(card), "\uFFFD")
			break
		}
	}
}

func readSmall(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(raw) > maxSmallFile {
		err = fmt.Errorf("%w: %s is larger than %d bytes", ErrModel, name, maxSmallFile)
	}
	return raw, err
}

// Config returns config.json's value under key, for display; ok is false where there is none.
func Config(fsys fs.FS, key string) (value json.RawMessage, ok bool) {
	raw, err := readSmall(fsys, "config.json")
	if err != nil {
		return nil, false
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil, false
	}
	value, ok = all[key]
	return value, ok
}
