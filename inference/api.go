package inference

import "vitrine/inference/task"

// Tensor is a dense row-major array.
type Tensor struct {
	Shape []int
	Data  []float32
}

// Input is what a user gives: a text (with an optional second text) or an encoded picture (PNG or JPEG).
type Input struct {
	Text  string
	Pair  *string
	Image []byte
}

// FileDigest names one file of a checkpoint.
type FileDigest struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Taps lists the names under which a model's inner values can be asked for, written and differentiated.
type Taps struct {
	Embeddings string   // word-embedding output (T,D)
	Hidden     []string // hidden states (T,D), the embedding output first
	Attentions []string // attention probabilities (H,T,T), one a layer
	Features   []string // feature maps (C,H,W), the last one is Grad-CAM's default
	Pixels     string   // normalised image (C,H,W)
	// Of an encoder-decoder, whose encoder has the names above; S are decoder positions: (S,D), (H,S,S), and (H,S,T) across.
	DecoderEmbeddings                                 string
	DecoderHidden, DecoderAttentions, CrossAttentions []string
	// Of a decoder-only model: what each layer's attention and feed-forward add to the residual sum, and the sum that the last norm
	// reads, (T,D) all; the last of Hidden lies behind that norm.
	Attended, Fed []string
	Residual      string
}

// SpecialIDs are the tokenizer's special ids, -1 where it has none.
type SpecialIDs struct{ Pad, Unk, CLS, Sep, Mask, BOS, EOS int32 }

// Info describes a loaded model.
type Info struct {
	Name, Family, Architecture, Task string
	Modality                         string // "text" or "image"
	Labels                           []string
	Digest                           string // sha256 hex over the sorted file digests
	TokenizerDigest                  string
	Files                            []FileDigest
	Card                             string // MODEL_CARD.md or README.md
	DType                            string
	Parameters                       int64
	Layers, Heads, Hidden, MaxTokens int
	ImageChannels                    int
	ImageHeight, ImageWidth          int
	Taps                             Taps
	SpecialIDs                       SpecialIDs
}

// Example is one unpadded input of the network. Text: IDs and optionally Types; Embeddings, if not nil, replaces
// the word-embedding output (T*D values). Image: Pixels (C,H,W), normalised, with their Shape. Patch writes taps over for
// this example alone; what only the old values needed is not computed, so that a run starts there.
type Example struct {
	IDs, Types []int32
	Decoder    []int32 // what an encoder-decoder has written so far, its start token first; nil means the start token alone
	Embeddings []float32
	Pixels     []float32
	Shape      []int
	Patch      map[string]Tensor
}

// Token is one position of an encoded text. Start and End count characters (code points) of the text it comes
// from: the second text where Pair is true.
type Token struct {
	Text    string `json:"text"`
	ID      int32  `json:"id"`
	Start   int    `json:"start"`
	End     int    `json:"end"`
	Special bool   `json:"special"`
	Word    int    `json:"-"` // word number, -1 for special tokens
	Pair    bool   `json:"pair,omitempty"`
	Index   int    `json:"-"` // number among all non-special tokens of the input, -1 for special tokens
}

// Window is one run of the network over a part of the input.
type Window struct {
	Example Example
	Tokens  []Token
	First   int // index of the first non-special token in the list of all non-special tokens
}

// Encoded is an input made ready: one window for images and short texts, overlapping windows for long texts.
type Encoded struct {
	Windows []Window
	Unknown float64 // share of [UNK] among the non-special tokens
	Pair    bool    // of two texts it is the second that the windows divide; the first stands in each of them whole
}

// Target selects the scalar that is reported and differentiated. Index points into the output: {class},
// {token, class}, {start, end} for question answering (the sum of both logits), {dim} for embeddings; empty means
// the predicted class. Of a generating model, {word} is what comes next: the word's logit at the last
// position; {position, word} with a position below zero counts from the end, so that it names the same word when tokens before are left out. Quantity is "logit" (default), "logprob", "prob" or "diff" (logit at Index minus logit at
// Minus).
type Target struct {
	Index    []int
	Quantity string
	Minus    []int
}

// RunSpec says what to compute beside the output.
type RunSpec struct {
	Taps   []string // values to return
	Target *Target  // scalar to report
	// Targets, instead of Target, are several scalars of one quantity. Each is differentiated through the values of one
	// forward pass, and has the bits that it has alone.
	Targets []Target
	Wrt     []string // taps to differentiate the target with respect to
	// Rule replaces reverse rules in this run: "guided", "deconvolution" or "rescale" (op.FindRule). Rescale compares
	// example i with References[i], an input of the same shape; without a rule there are no references.
	Rule       string
	References []Example
	Patch      map[string]Tensor // tap -> value written instead, the same for all examples of the batch
	Threads    int               // 0 = GOMAXPROCS
	// Memory is how many bytes the run may take beside the weights, 0 = MemoryBudget. To stay below it a batch runs in
	// chunks and a reverse pass computes values again; what still takes more is refused before it runs.
	Memory int64
}

// Result belongs to one example. Output holds logits: (C), (T,C) for token tasks, (2,T) for question answering
// (start, end), an embedding (D).
type Result struct {
	Output Tensor
	Taps   map[string]Tensor
	Value  float64 // the target's scalar
	Grads  map[string]Tensor
	Each   []Pull // one for each of RunSpec.Targets
}

// Pull is one target's scalar and its gradients.
type Pull struct {
	Value float64
	Grads map[string]Tensor
}

// LabelScore is one class of a classification.
type LabelScore = task.LabelScore

// Entity is one span of the text; Start and End count characters, Index is the first token.
type Entity = task.Entity

// WindowNote says which characters of a long text one window covered: of the second text where Pair is true.
type WindowNote struct {
	Start  int  `json:"start"`
	End    int  `json:"end"`
	Tokens int  `json:"tokens"`
	Pair   bool `json:"pair,omitempty"`
}

// Prediction is the answer of a model's task. Labels are sorted best first.
type Prediction struct {
	Task     string       `json:"task"`
	Labels   []LabelScore `json:"labels,omitempty"`
	Entities []Entity     `json:"entities,omitempty"`
	Tokens   []Token      `json:"tokens,omitempty"`
	Windows  []WindowNote `json:"windows,omitempty"`
	Unknown  float64      `json:"unknown"`
	// Vector is the embedding of feature-extraction, Answer the span of question answering.
	Vector []float32 `json:"vector,omitempty"`
	Answer *Entity   `json:"answer,omitempty"`
}
