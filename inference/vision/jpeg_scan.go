package vision

import "errors"

// scan is one pass over some coefficients of some components.
type scan struct {
	comps       []*component
	first, last int // spectral selection
	high, low   int // successive approximation
}

// readScan reads a scan header and decodes the data behind it.
func (f *jpegFile) readScan(body []byte) error {
	if f.comps == nil {
		return errors.New("data before the frame header")
	}
	if f.scans++; f.scans > maxScans {
		return errors.New("too many scans")
	}
	s, err := f.scanHeader(body)
	if err != nil {
		return err
	}
	f.bits.data = f.data
	f.bits.reset(f.at)
	if len(s.comps) == 1 {
		err = f.decodeAlone(s)
	} else {
		err = f.decodeInterleaved(s)
	}
	if err != nil {
		return err
	}
	if f.bits.over() {
		return errShort
	}
	f.at = f.bits.at
	return nil
}

func (f *jpegFile) scanHeader(body []byte) (*scan, error) {
	if len(body) < 1 || len(body) != 4+2*int(body[0]) || body[0] < 1 || body[0] > 4 {
		return nil, errors.New("bad scan header")
	}
	n := int(body[0])
	s := &scan{first: int(body[1+2*n]), last: int(body[2+2*n]), high: int(body[3+2*n] >> 4), low: int(body[3+2*n] & 15)}
	blocks := 0
	for i := range n {
		id, tables := int(body[1+2*i]), body[2+2*i]
		var comp *component
		for _, c := range f.comps {
			if c.id == id {
				comp = c
			}
		}
		if comp == nil || tables>>4 > 3 || tables&15 > 3 {
			return nil, errors.New("bad scan header")
		}
		for _, c := range s.comps {
			if c == comp {
				return nil, errors.New("bad scan header")
			}
		}
		comp.dcTable, comp.acTab = int(tables>>4), int(tables&15)
		blocks += comp.h * comp.v
		s.comps = append(s.comps, comp)
	}
	if n > 1 && blocks > 10 {
		return nil, errors.New("more than ten blocks in a unit")
	}
	return s, f.checkScan(s)
}

// checkScan checks the progression parameters and that the tables exist.
func (f *jpegFile) checkScan(s *scan) error {
	if !f.progressive {
		s.first, s.last, s.high, s.low = 0, 63, 0, 0
	}
	if s.first > s.last || s.last > 63 || s.high > 13 || s.low > 13 || (s.high != 0 && s.high != s.low+1) {
		return errors.New("bad progression")
	}
	if f.progressive && (s.first == 0) != (s.last == 0) || s.first > 0 && len(s.comps) > 1 {
		return errors.New("bad progression")
	}
	for _, c := range s.comps {
		if s.first == 0 && s.high == 0 && f.huff[0][c.dcTable] == nil || s.last > 0 && f.huff[1][c.acTab] == nil {
			return errors.New("a Huffman table is missing")
		}
		if !f.progressive && !f.haveQuant[c.tq] {
			return errors.New("no quantisation table")
		}
	}
	return nil
}

// decodeAlone decodes a scan of one component: only blocks that hold samples of
// the picture are present.
func (f *jpegFile) decodeAlone(s *scan) error {
	c := s.comps[0]
	f.resetPredictions(s)
	left := f.restart
	for y := range c.realH {
		for x := range c.realW {
			if err := f.restartIfDue(s, &left); err != nil {
				return err
			}
			if err := f.block(s, c, y*c.blocksW+x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *jpegFile) decodeInterleaved(s *scan) error {
	f.resetPredictions(s)
	left := f.restart
	for my := range f.mcuH {
		for mx := range f.mcuW {
			if err := f.restartIfDue(s, &left); err != nil {
				return err
			}
			for _, c := range s.comps {
				for i := range c.h * c.v {
					at := (my*c.v+i/c.h)*c.blocksW + mx*c.h + i%c.h
					if err := f.block(s, c, at); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (f *jpegFile) resetPredictions(s *scan) {
	f.eobRun = 0
	for _, c := range s.comps {
		c.dc = 0
	}
}

// restartIfDue expects a restart marker after every restart interval.
func (f *jpegFile) restartIfDue(s *scan, left *int) error {
	if f.restart == 0 {
		return nil
	}
	if *left > 0 {
		*left--
		return nil
	}
	if f.bits.over() {
		return errShort
	}
	at := f.bits.at
	if at+1 >= len(f.data) || f.data[at] != 0xff || f.data[at+1] < mRST0 || f.data[at+1] > mRST7 {
		return errors.New("a restart marker is missing")
	}
	f.bits.reset(at + 2)
	f.resetPredictions(s)
	*left = f.restart - 1
	return nil
}

// block decodes what the scan holds of block number at.
func (f *jpegFile) block(s *scan, c *component, at int) error {
	if f.bits.over() {
		return errShort
	}
	if !f.progressive {
		var b [64]int16
		if err := f.baseline(c, &b); err != nil {
			return err
		}
		c.inverseBlock(&b, &f.quant[c.tq], at)
		return nil
	}
	b := (*[64]int16)(c.coefficients[at*64:])
	switch {
	case s.first == 0 && s.high == 0:
		return f.dcFirst(s, c, b)
	case s.first == 0:
		if f.bits.bits(1) != 0 {
			b[0] |= 1 << s.low
		}
		return nil
	case s.high == 0:
		return f.acFirst(s, c, b)
	}
	return f.acRefine(s, c, b)
}

func (f *jpegFile) baseline(c *component, b *[64]int16) error {
	t, err := f.bits.decode(f.huff[0][c.dcTable])
	if err != nil {
		return err
	}
	if t > 15 {
		return errCode
	}
	c.dc += f.bits.extended(int(t))
	b[0] = int16(c.dc)
	ac := f.huff[1][c.acTab]
	for k := 1; k < 64; k++ {
		rs, err := f.bits.decode(ac)
		if err != nil {
			return err
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errCode
		}
		b[zigzag[k]] = int16(f.bits.extended(size))
	}
	return nil
}

func (f *jpegFile) dcFirst(s *scan, c *component, b *[64]int16) error {
	t, err := f.bits.decode(f.huff[0][c.dcTable])
	if err != nil {
		return err
	}
	if t > 15 {
		return errCode
	}
	c.dc += f.bits.extended(int(t))
	b[0] = int16(c.dc << s.low)
	return nil
}

func (f *jpegFile) acFirst(s *scan, c *component, b *[64]int16) error {
	if f.eobRun > 0 {
		f.eobRun--
		return nil
	}
	ac := f.huff[1][c.acTab]
	for k := s.first; k <= s.last; k++ {
		rs, err := f.bits.decode(ac)
		if err != nil {
			return err
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run < 15 {
				f.eobRun = 1<<run + int(f.bits.bits(run)) - 1
				break
			}
			k += 15
			continue
		}
		if k += run; k > s.last {
			return errCode
		}
		b[zigzag[k]] = int16(f.bits.extended(size) << s.low)
	}
	return nil
}

// acRefine adds one bit to the coefficients (T.81, G.1.2.3).
func (f *jpegFile) acRefine(s *scan, c *component, b *[64]int16) error {
	bit := int16(1) << s.low
	k := s.first
	if f.eobRun == 0 {
		ac := f.huff[1][c.acTab]
		for ; k <= s.last; k++ {
			rs, err := f.bits.decode(ac)
			if err != nil {
				return err
			}
			run, size := int(rs>>4), int(rs&15)
			fresh := int16(0)
			if size == 0 {
				if run < 15 {
					f.eobRun = 1<<run + int(f.bits.bits(run))
					break
				}
			} else if size != 1 {
				return errCode
			} else if fresh = -bit; f.bits.bits(1) != 0 {
				fresh = bit
			}
			if k = f.refine(b, k, s.last, run, bit); k > s.last {
				break
			}
			b[zigzag[k]] = fresh
		}
	}
	if f.eobRun > 0 {
		f.refine(b, k, s.last, -1, bit)
		f.eobRun--
	}
	return nil
}

// refine corrects nonzero coefficients from k on and skips run zeros; it gives
// the place of the next zero, or last+1. A negative run skips all.
func (f *jpegFile) refine(b *[64]int16, k, last, run int, bit int16) int {
	for ; k <= last; k++ {
		v := &b[zigzag[k]]
		if *v == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		if f.bits.bits(1) != 0 && *v&bit == 0 {
			if *v > 0 {
				*v += bit
			} else {
				*v -= bit
			}
		}
	}
	return k
}
