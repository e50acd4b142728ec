package tokenizer

import (
	"fmt"
	"io/fs"
)

func load(fs.FS) (Tokenizer, error) {
	return nil, fmt.Errorf("tokenizer: loading: %w", ErrUnsupported)
}
