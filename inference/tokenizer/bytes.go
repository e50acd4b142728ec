package tokenizer

// Bytes is what an id adds to a text that is decoded without special tokens: as its first
// id, or behind others. Bytes of several ids put together are what Decode gives for them,
// where they are whole characters. Nil for special tokens, for ids outside the vocabulary,
// and for all ids of a tokenizer whose tokens change with what follows them.
func (p *pipeline) Bytes(id int32, first bool) []byte {
	name, ok := p.shown(id, true)
	if !ok {
		return nil
	}
	stages, strips := p.stages()
	for _, d := range stages {
		switch d := d.(type) {
		case bpeDecoder:
			return nil
		case stripDecoder:
			if d.stop > 0 {
				return nil
			}
		case byteLevelDecoder:
			if len(stages) > 1 {
				return nil
			}
			return rawBytes(name)
		case byteFallbackDecoder:
			if c, ok := fallbackByte(name); ok {
				if first && c == ' ' && strips {
					return nil // it would vanish
				}
				return []byte{c}
			}
		}
	}
	if first {
		return []byte(p.through(name))
	}
	return []byte(p.through("x", name)[len(p.through("x")):])
}

// stages are the decoders of the pipeline, one by one, and whether one takes blanks away.
func (p *pipeline) stages() (list []decoder, strips bool) {
	switch d := p.decode.(type) {
	case nil:
		list = []decoder{blanks}
	case chain:
		list = d
	default:
		list = []decoder{d}
	}
	for _, d := range list {
		_, one := d.(stripDecoder)
		strips = strips || one
	}
	return list, strips
}

// through is what the decoders make of some tokens.
func (p *pipeline) through(names ...string) string {
	list, _ := p.stages()
	s := &Stream{stage: chain(list).start()}
	for _, name := range names {
		s.stage.push(part{name, true, true}, s.take)
	}
	return s.Close()
}

// rawBytes are the bytes that a token written in stand-ins has; text that is not written so
// is taken as it is.
func rawBytes(name string) []byte {
	var out []byte
	for _, r := range name {
		c, ok := byteOf(r)
		if !ok {
			return []byte(name)
		}
		out = append(out, c)
	}
	return out
}
