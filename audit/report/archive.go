package report

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
)

var (
	// ErrNotPack means that a file or folder is no evidence pack at all.
	ErrNotPack = errors.New("not an evidence pack")
	// errArchive means that a ZIP is damaged or holds more than its files.
	errArchive = errors.New("damaged archive")
)

// archive is the files of a pack, from a ZIP or from an unpacked folder.
type archive struct {
	files map[string]func() (io.ReadCloser, error)
	names []string // sorted
	close func() error
	// damage is what is wrong with the container itself.
	damage []Finding
}

// openArchive opens a pack. ErrNotPack when nothing about it is one.
func openArchive(path string) (*archive, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("audit/report: opening the pack: %w", err)
	}
	if info.IsDir() {
		return openFolder(path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("audit/report: neither a file nor a folder: %w", ErrNotPack)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audit/report: opening the pack: %w", err)
	}
	a, err := openZIP(f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	a.close = f.Close
	return a, nil
}

func openFolder(path string) (*archive, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("audit/report: opening the pack: %w", err)
	}
	a := &archive{files: map[string]func() (io.ReadCloser, error){}, close: root.Close}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if len(a.names) > maxPackedFiles {
			return fmt.Errorf("more than %d files: %w", maxPackedFiles, ErrNotPack)
		}
		a.names = append(a.names, name)
		if !d.Type().IsRegular() {
			a.damage = append(a.damage, Finding{Code: CodeUnlisted, File: name, Index: -1, Detail: "is not a regular file"})
			return nil
		}
		a.files[name] = func() (io.ReadCloser, error) { return root.Open(name) }
		return nil
	})
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("audit/report: reading the folder: %w", err)
	}
	return a.finish()
}

// finish refuses what has nothing of a pack.
func (a *archive) finish() (*archive, error) {
	sort.Strings(a.names)
	for _, n := range []string{fileManifest, fileSignature, fileEvents, fileCheckpoint} {
		if a.files[n] != nil {
			return a, nil
		}
	}
	return nil, fmt.Errorf("audit/report: it has neither %s nor %s: %w", fileManifest, fileEvents, ErrNotPack)
}

func (a *archive) damaged(file, format string, args ...any) {
	a.damage = append(a.damage, Finding{Code: CodeArchive, File: file, Index: -1, Detail: fmt.Sprintf(format, args...)})
}

// openZIP reads a ZIP strictly: its bytes are its files one after another, their
// directory and the end record, nothing before, between or behind. Dates, methods
// and attributes are not evidence and may differ, so that a pack may be packed anew.
func openZIP(r io.ReaderAt, size int64) (*archive, error) {
	a := &archive{files: map[string]func() (io.ReadCloser, error){}, close: func() error { return nil }}
	z, err := zip.NewReader(r, size)
	if err != nil {
		if looksLikePack(r, size) {
			a.damaged("", "the archive cannot be read: bytes of its directory are altered, missing or added")
			return a, nil
		}
		return nil, fmt.Errorf("audit/report: not a ZIP archive: %w", ErrNotPack)
	}
	if len(z.File) > maxPackedFiles {
		return nil, fmt.Errorf("audit/report: more than %d files: %w", maxPackedFiles, ErrNotPack)
	}
	folders := map[string]bool{}
	for _, f := range z.File {
		switch {
		case strings.HasSuffix(f.Name, "/") && f.UncompressedSize64 == 0:
			folders[f.Name] = true
			continue
		case a.files[f.Name] != nil:
			a.damaged(f.Name, "is in the archive twice")
			continue
		}
		a.files[f.Name] = f.Open
		a.names = append(a.names, f.Name)
	}
	for d := range folders {
		if !hasBelow(a.names, d) {
			a.damaged(d, "is a folder without files")
		}
	}
	if z.Comment != "" {
		a.damaged("", "the archive carries a comment")
	}
	if err := checkLayout(r, size, z.File); err != nil {
		a.damaged("", "%s", strings.TrimSuffix(err.Error(), ": "+errArchive.Error()))
	}
	return a.finish()
}

func hasBelow(names []string, folder string) bool {
	for _, n := range names {
		if strings.HasPrefix(n, folder) {
			return true
		}
	}
	return false
}

// looksLikePack tells a damaged pack from a file that never was one: names stand in
// a ZIP as they are.
func looksLikePack(r io.ReaderAt, size int64) bool {
	const window = 1 << 20
	for _, at := range []int64{0, max(size-window, 0)} {
		buf := make([]byte, min(window, size))
		n, err := r.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			continue
		}
		for _, name := range []string{fileManifest, fileEvents, fileCheckpoint, fileSignature} {
			if bytes.Contains(buf[:n], []byte(name)) {
				return true
			}
		}
	}
	return false
}

const (
	sigLocal    = "PK\x03\x04"
	sigCentral  = "PK\x01\x02"
	sigEnd      = "PK\x05\x06"
	sigEnd64    = "PK\x06\x06"
	sigLocator  = "PK\x06\x07"
	localLen    = 30
	endLen      = 22
	end64Len    = 56
	locatorLen  = 20
	flagTrailer = 8 // sizes follow the data
)

func layout(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errArchive)...)
}

// checkLayout checks that the archive has no byte that belongs to nothing.
func checkLayout(r io.ReaderAt, size int64, files []*zip.File) error {
	type part struct {
		f          *zip.File
		start, end int64 // local header to end of data
	}
	parts := make([]part, 0, len(files))
	for _, f := range files {
		data, err := f.DataOffset()
		if err != nil {
			return layout("the header of %s is damaged", f.Name)
		}
		parts = append(parts, part{f: f, start: data, end: data + int64(f.CompressedSize64)})
	}
	sort.Slice(parts, func(i, j int) bool { return parts[i].start < parts[j].start })
	at := int64(0)
	for _, p := range parts {
		head := make([]byte, localLen)
		if _, err := r.ReadAt(head, at); err != nil || string(head[:4]) != sigLocal {
			return layout("there are foreign bytes before %s", p.f.Name)
		}
		names := int(binary.LittleEndian.Uint16(head[26:]))
		extra := int(binary.LittleEndian.Uint16(head[28:]))
		if at+localLen+int64(names+extra) != p.start {
			return layout("there are foreign bytes before %s", p.f.Name)
		}
		name := make([]byte, names)
		if _, err := r.ReadAt(name, at+localLen); err != nil || string(name) != p.f.Name {
			return layout("%s has another name in its header than in the directory", p.f.Name)
		}
		if err := checkHeaders(head, p.f); err != nil {
			return err
		}
		at = p.end
		if p.f.Flags&flagTrailer != 0 {
			n, err := trailer(r, at, p.f)
			if err != nil {
				return err
			}
			at += n
		}
	}
	return checkEnd(r, at, size, len(files))
}

// checkHeaders compares a local header with the directory, where both say the same
// thing, and refuses values that no program writes for a plain file.
func checkHeaders(head []byte, f *zip.File) error {
	le := binary.LittleEndian
	const oldest, newest = 10, 63 // versions of the format
	version, made := le.Uint16(head[4:]), f.CreatorVersion&0xff
	day, clock := f.ModifiedDate, f.ModifiedTime
	switch {
	case le.Uint16(head[6:]) != f.Flags, le.Uint16(head[8:]) != f.Method, le.Uint16(head[10:]) != clock, le.Uint16(head[12:]) != day:
		return layout("%s has another header than in the directory", f.Name)
	case version < oldest, version > newest, f.ReaderVersion < oldest, f.ReaderVersion > newest, made < oldest, made > newest, f.CreatorVersion>>8 > 19:
		return layout("%s needs an unknown version of the format", f.Name)
	case !f.Mode().IsRegular() && !strings.HasSuffix(f.Name, "/"):
		return layout("%s is not a regular file", f.Name)
	}
	crc, packed, size := le.Uint32(head[14:]), le.Uint32(head[18:]), le.Uint32(head[22:])
	later := f.Flags&flagTrailer != 0 && crc == 0 && packed == 0 && size == 0
	wide := packed == 1<<32-1 || size == 1<<32-1 // the sizes stand in an extra field
	if !later && (crc != f.CRC32 || !wide && (uint64(packed) != f.CompressedSize64 || uint64(size) != f.UncompressedSize64)) {
		return layout("%s has another checksum or size in its header than in the directory", f.Name)
	}
	return nil
}

// trailer returns the length of the data descriptor at an offset.
func trailer(r io.ReaderAt, at int64, f *zip.File) (int64, error) {
	buf := make([]byte, 24)
	n, _ := r.ReadAt(buf, at)
	buf = buf[:n]
	start := 0
	if bytes.HasPrefix(buf, []byte("PK\x07\x08")) {
		start = 4
	}
	if len(buf) >= start+12 && binary.LittleEndian.Uint32(buf[start:]) == f.CRC32 {
		rest := buf[start+4:]
		if f.CompressedSize64 < 1<<32-1 && f.UncompressedSize64 < 1<<32-1 &&
			uint64(binary.LittleEndian.Uint32(rest)) == f.CompressedSize64 && uint64(binary.LittleEndian.Uint32(rest[4:])) == f.UncompressedSize64 {
			return int64(start + 12), nil
		}
		if len(rest) >= 16 && binary.LittleEndian.Uint64(rest) == f.CompressedSize64 && binary.LittleEndian.Uint64(rest[8:]) == f.UncompressedSize64 {
			return int64(start + 20), nil
		}
	}
	return 0, layout("there are foreign bytes behind %s", f.Name)
}

// checkEnd checks the directory that begins at an offset and the end record.
func checkEnd(r io.ReaderAt, at, size int64, entries int) error {
	end := make([]byte, endLen)
	if _, err := r.ReadAt(end, size-endLen); err != nil || string(end[:4]) != sigEnd {
		return layout("there are foreign bytes at the end")
	}
	length := int64(binary.LittleEndian.Uint32(end[12:]))
	start := int64(binary.LittleEndian.Uint32(end[16:]))
	count := int64(binary.LittleEndian.Uint16(end[10:]))
	stop := size - endLen
	if start == 1<<32-1 || length == 1<<32-1 || count == 1<<16-1 {
		both := make([]byte, end64Len+locatorLen)
		if _, err := r.ReadAt(both, stop-int64(len(both))); err == nil && string(both[:4]) == sigEnd64 && string(both[end64Len:end64Len+4]) == sigLocator {
			length, start = int64(binary.LittleEndian.Uint64(both[40:])), int64(binary.LittleEndian.Uint64(both[48:]))
			count = int64(binary.LittleEndian.Uint64(both[32:]))
			stop -= int64(len(both))
		}
	}
	if disks := end[4:8]; !bytes.Equal(disks, make([]byte, 4)) || !bytes.Equal(end[8:10], end[10:12]) {
		return layout("the archive says it is one of several")
	}
	if count != int64(entries) {
		return layout("the archive says it has %d entries and has %d", count, entries)
	}
	if start != at || start+length != stop {
		return layout("there are foreign bytes around the directory")
	}
	return checkDirectory(r, start, stop)
}

// checkDirectory walks the central directory to its end.
func checkDirectory(r io.ReaderAt, at, stop int64) error {
	const headLen = 46
	for at < stop {
		head := make([]byte, headLen)
		if _, err := r.ReadAt(head, at); err != nil || string(head[:4]) != sigCentral {
			return layout("there are foreign bytes in the directory")
		}
		if disk, kind := binary.LittleEndian.Uint16(head[34:]), binary.LittleEndian.Uint16(head[36:]); disk != 0 || kind > 1 {
			return layout("the directory has an entry of an unknown kind")
		}
		at += headLen + int64(binary.LittleEndian.Uint16(head[28:])) + int64(binary.LittleEndian.Uint16(head[30:])) + int64(binary.LittleEndian.Uint16(head[32:]))
	}
	if at != stop {
		return layout("there are foreign bytes in the directory")
	}
	return nil
}
