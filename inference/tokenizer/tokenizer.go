// Package tokenizer turns text into the ids a checkpoint was trained on, and
// says for every id which characters of the text it came from.
//
// Ids, tokens, character offsets and decoded text equal those of the reference
// library (huggingface/tokenizers) on any text. Offsets are counted in
// characters (Unicode code points) of the text as given, never in bytes.
package tokenizer

import (
	"errors"
	"io/fs"
)

// Errors callers tell apart. Everything that Load or Encode returns wraps one.
var (
	// ErrFormat: the tokenizer files are damaged, contradictory or hostile.
	ErrFormat = errors.New("tokenizer files are not usable")
	// ErrUnsupported: the files are well formed and ask for a kind that this
	// package does not run; the message names it.
	ErrUnsupported = errors.New("unsupported tokenizer")
	// ErrText: the text is not valid UTF-8 or longer than MaxTextBytes.
	ErrText = errors.New("text is not usable")
)

// MaxTextBytes bounds one text; longer texts are refused, never cut.
const MaxTextBytes = 16 << 20

// Token is one id of an encoding.
type Token struct {
	ID   int32
	Text string // the token as the vocabulary or the added-token table writes it
	// Start and End are the characters [Start,End) of the text (or of the pair,
	// where Type says so) that the token covers; 0,0 for inserted special tokens.
	Start, End int
	Special    bool  // inserted by the post-processor ([CLS], [SEP])
	Word       int   // number of the word in its text, -1 for special tokens
	Type       int32 // token type (segment) id
	Pair       bool  // belongs to the second text
}

// Encoding is the whole token list of one input, neither cut nor padded.
type Encoding struct {
	Tokens []Token
}

// SpecialIDs are the ids with a fixed role, -1 where the tokenizer has none.
type SpecialIDs struct {
	Pad, Unk, CLS, Sep, Mask, BOS, EOS int32
}

// Tokenizer is safe for concurrent use and never changes after Load.
type Tokenizer interface {
	// Encode tokenizes text and, if not nil, pair. With special, the tokens
	// that the post-processor inserts are present. The result is never
	// truncated or padded, whatever the files ask for.
	Encode(text string, pair *string, special bool) (Encoding, error)
	// Decode joins ids to text. Ids outside the vocabulary are left out.
	Decode(ids []int32, skipSpecial bool) string
	// Stream decodes ids one by one as they are generated.
	Stream(skipSpecial bool) *Stream
	// Bytes is what an id adds to a text, as its first id or behind others; nil for special
	// tokens, unknown ids, and where tokens change with what follows them.
	Bytes(id int32, first bool) []byte
	// ID finds a token of the vocabulary or an added one by its content.
	ID(token string) (int32, bool)
	// Token is the content of an id.
	Token(id int32) (string, bool)
	Special() SpecialIDs
	// VocabSize counts the vocabulary with added tokens.
	VocabSize() int
	// Digest is the lower-case hexadecimal SHA-256 of the file that defines
	// the tokenizer (tokenizer.json, or vocab.txt and tokenizer_config.json).
	Digest() string
}

// Load reads the tokenizer of a hub folder: tokenizer.json where present, else
// source.spm, target.spm and vocab.json (Marian), sentencepiece.bpe.model
// (XLM-RoBERTa), vocab.json and merges.txt (byte-level BPE), tokenizer.model or
// spiece.model (SentencePiece), or vocab.txt (WordPiece), each with
// tokenizer_config.json.
func Load(fsys fs.FS) (Tokenizer, error) {
	return load(fsys)
}

// Present says whether a hub folder has the files of a tokenizer that Load
// would read or refuse by name.
func Present(fsys fs.FS) bool {
	for _, name := range []string{"tokenizer.json", "vocab.txt", "source.spm", "sentencepiece.bpe.model", "merges.txt", "vocab.json", "tokenizer.model", "spiece.model"} {
		if _, err := fs.Stat(fsys, name); err == nil {
			return true
		}
	}
	return false
}
