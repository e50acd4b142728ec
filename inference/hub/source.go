package hub

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Source names a checkpoint: exactly one of an address, a repository and a file.
type Source struct {
	Address  string // https address of a GGUF file or an archive, with SHA256
	SHA256   string // of the file at Address
	Repo     string // owner/name on the hub
	Revision string // branch, tag or commit of Repo; "" = main
	File     string // path of an archive on this machine
	// Inside is the path of the GGUF file or folder within an archive or repository; ""
	// where there is only one.
	Inside string
}

var (
	repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)
	digest   = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
	commit   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// IsRepo says whether a text has the form of a repository on a hub.
func IsRepo(s string) bool { return repoName.MatchString(s) && !strings.Contains(s, "..") }

// IsArchive says whether a file's name is that of an archive that is read.
func IsArchive(name string) bool { return isArchive(name) }

// Check refuses what no Fetch could bring, without asking anybody.
func (c *Client) Check(s Source) error {
	if s.Inside != "" && (!filepath.IsLocal(filepath.FromSlash(s.Inside)) || strings.Contains(s.Inside, `\`)) {
		return bad(ErrSource, "the path inside leads out of the archive")
	}
	switch {
	case s.Address != "" && s.Repo == "" && s.File == "":
		u, err := url.Parse(s.Address)
		if err != nil || u.Host == "" {
			return bad(ErrSource, "the address cannot be read")
		}
		if err := c.allowed(u); err != nil {
			return err
		}
		if !digest.MatchString(s.SHA256) {
			return bad(ErrSource, "an address needs the sha256 of its file, 64 hexadecimal digits")
		}
		return kind(u.Path)
	case s.Repo != "" && s.Address == "" && s.File == "":
		if !IsRepo(s.Repo) {
			return bad(ErrSource, "a repository is named owner/name")
		}
		if s.Revision != "" && (!revision.MatchString(s.Revision) || strings.Contains(s.Revision, "..")) {
			return bad(ErrSource, "a revision is a branch, a tag or a commit")
		}
		return nil
	case s.File != "" && s.Address == "" && s.Repo == "":
		return kind(s.File)
	}
	return bad(ErrSource, "name an address, a repository or a file")
}

// kind refuses files that hold no checkpoint that is read.
func kind(name string) error {
	switch {
	case isGGUF(name) || isArchive(name):
		return nil
	case strings.EqualFold(path.Ext(name), ".onnx"):
		return bad(ErrSource, "ONNX files are not read yet; give the checkpoint as safetensors or GGUF")
	case slices.Contains([]string{".bin", ".pt", ".pth", ".ckpt", ".pkl"}, strings.ToLower(path.Ext(name))):
		return bad(ErrSource, "a file of this kind can run code when it is read; give the checkpoint as safetensors or GGUF")
	}
	return bad(ErrSource, "a file should be a .gguf, .zip or .whl")
}

// Fetched is what came.
type Fetched struct {
	Path   string // of the GGUF file or the checkpoint's folder, within the folder given
	Commit string // of a repository
	Bytes  int64
}

// Fetch brings a checkpoint into dir, which it makes: anew, or going on with what an earlier
// Fetch of the same source left there. tell may be nil.
//
// Errors wrap [ErrSource], [ErrContent], [ErrReach], ctx's error or an operating system's.
func (c *Client) Fetch(ctx context.Context, s Source, dir string, tell Progress) (*Fetched, error) {
	if err := c.Check(s); err != nil {
		return nil, err
	}
	if tell == nil {
		tell = func(int64, int64) {}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	switch {
	case s.File != "":
		return c.unpack(ctx, s.File, s.Inside, dir, tell)
	case s.Repo != "":
		return c.repository(ctx, s, dir, tell)
	}
	u, _ := url.Parse(s.Address) // Check read it
	p := piece{name: "download" + strings.ToLower(path.Ext(u.Path)), address: s.Address, size: -1, sha256: s.SHA256}
	if isGGUF(p.name) {
		p.name = "model.gguf"
	}
	n, err := c.fetch(ctx, dir, p, 0, 0, tell)
	if err != nil {
		return nil, err
	}
	if isGGUF(p.name) {
		return &Fetched{Path: filepath.Join(dir, p.name), Bytes: n}, nil
	}
	archive := filepath.Join(dir, p.name)
	out, err := c.unpack(ctx, archive, s.Inside, filepath.Join(dir, "files"), tell)
	if err == nil {
		err = os.Remove(archive)
	}
	return out, err
}

// maxListing bounds the listing of a repository.
const maxListing = 16 << 20

// listing is what a hub says of a repository's revision.
type listing struct {
	Commit string `json:"sha"`
	Files  []struct {
		Name string `json:"rfilename"`
		Size *int64 `json:"size"`
		Blob string `json:"blobId"`
		LFS  *struct {
			SHA256 string `json:"sha256"`
			Size   int64  `json:"size"`
		} `json:"lfs"`
	} `json:"siblings"`
}

// repository brings the files of a hub's repository.
func (c *Client) repository(ctx context.Context, s Source, dir string, tell Progress) (*Fetched, error) {
	at := s.Revision
	if at == "" {
		at = "main"
	}
	a, err := c.get(ctx, c.hub.String()+"/api/models/"+s.Repo+"/revision/"+url.PathEscape(at)+"?blobs=true", nil)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(a.Body, maxListing+1))
	if err != nil {
		return nil, bad(ErrReach, "the listing was cut off")
	}
	var l listing
	if err := json.Unmarshal(raw, &l); len(raw) > maxListing || err != nil || !commit.MatchString(l.Commit) {
		return nil, bad(ErrContent, "the hub's listing of %s cannot be read", s.Repo)
	}
	pieces, err := c.choose(&l, s)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, p := range pieces {
		if p.size > c.max-total {
			return nil, bad(ErrContent, "the checkpoint is larger than the %d bytes that are allowed", c.max)
		}
		total += p.size
	}
	out := &Fetched{Path: filepath.Join(dir, l.Commit), Commit: l.Commit}
	if err := os.MkdirAll(out.Path, 0o700); err != nil {
		return nil, err
	}
	for _, p := range pieces {
		n, err := c.fetch(ctx, out.Path, p, out.Bytes, total, tell)
		if err != nil {
			return nil, err
		}
		out.Bytes += n
		tell(out.Bytes, total)
	}
	if len(pieces) == 1 && isGGUF(pieces[0].name) {
		out.Path = filepath.Join(out.Path, pieces[0].name)
	}
	return out, nil
}

// choose picks the files of a checkpoint: the GGUF file that is named or the only one, or
// what a folder in hub layout needs.
func (c *Client) choose(l *listing, s Source) ([]piece, error) {
	var folder, ggufs []piece
	config, pickled := false, false
	for _, f := range l.Files {
		name := f.Name
		if strings.ContainsAny(name, "\\:\x00") {
			continue // no file that a checkpoint needs is named so
		}
		if dir := path.Dir(name); !isGGUF(s.Inside) && s.Inside != "" {
			if dir != path.Clean(s.Inside) {
				continue
			}
			name = path.Base(name)
		}
		p := piece{name: name, size: -1, blob: f.Blob, address: c.hub.String() + "/" + s.Repo + "/resolve/" + l.Commit + "/" + (&url.URL{Path: f.Name}).EscapedPath()}
		if f.LFS != nil {
			p.size, p.sha256 = f.LFS.Size, f.LFS.SHA256
		} else if f.Size != nil {
			p.size = *f.Size
		}
		switch {
		case isGGUF(name):
			if f.Name == s.Inside || s.Inside == "" || name != f.Name {
				p.name = path.Base(name)
				ggufs = append(ggufs, p)
			}
		case wanted(name):
			folder = append(folder, p)
			config = config || name == "config.json"
		}
		pickled = pickled || strings.HasSuffix(name, ".bin") || strings.HasSuffix(name, ".pt")
	}
	weights := slices.ContainsFunc(folder, func(p piece) bool { return strings.HasSuffix(p.name, ".safetensors") })
	chosen := folder
	switch {
	case isGGUF(s.Inside) && len(ggufs) == 0:
		return nil, bad(ErrSource, "%s has no file %s", s.Repo, s.Inside)
	case isGGUF(s.Inside), !(config && weights) && len(ggufs) == 1:
		chosen = ggufs[:1]
	case config && weights:
	case len(ggufs) > 1:
		return nil, bad(ErrSource, "%s has %d GGUF files; name one as the path inside", s.Repo, len(ggufs))
	case config && pickled:
		return nil, bad(ErrSource, "%s has its weights only in files that can run code when they are read; choose a revision with safetensors or GGUF", s.Repo)
	default:
		return nil, bad(ErrSource, "%s holds no checkpoint: neither config.json with safetensors nor a GGUF file", s.Repo)
	}
	for _, p := range chosen {
		if p.size < 0 || !digest.MatchString(p.sha256) && !commit.MatchString(p.blob) {
			return nil, bad(ErrContent, "the hub does not say how long %s is and which digest it has", p.name)
		}
	}
	return chosen, nil
}

// Kind is the closed code of why a Fetch failed.
func Kind(err error) string {
	switch {
	case errors.Is(err, ErrSource):
		return "source"
	case errors.Is(err, ErrContent):
		return "content"
	case errors.Is(err, ErrReach):
		return "unreachable"
	}
	return ""
}
