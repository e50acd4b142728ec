package explain

import "context"

func explain(ctx context.Context, r Request) (*Explanation, error) { return nil, ErrUnknownMethod }
func (e *Explanation) seal(c RecordContext) error                  { return nil }
func words(e *Explanation) []WordAttribution                       { return nil }
