package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"vitrine/audit"
)

// Redecider makes a logged decision again from a packed policy. Implemented by
// policy, wired by cmd. request is the JSON of audit.Asked.
type Redecider interface {
	Redecide(policySnapshot, request []byte) (effect string, ruleIDs []string, err error)
}

// VerifyOptions says what is trusted.
type VerifyOptions struct {
	Key        []byte // the log's public key file; nil takes the one in the pack
	RequireKey bool   // without Key nothing can be decided
	// Trust says whose cosignatures the root log's checkpoint needs, and which root logs
	// count where it lists any; nil asks for none.
	Trust *audit.Trust
	// Previous is an earlier pack, or a checkpoint's file, that this pack must continue.
	Previous  string
	Redecider Redecider
}

// Verdicts and their exit codes.
const (
	Fine      = "fine"      // 0
	Tampered  = "tampered"  // 1
	Undecided = "undecided" // 2
)

// Codes of findings, a closed list.
const (
	CodeArchive    = "archive"     // bytes of the container that belong to no file
	CodeMissing    = "missing"     // a file or entry is gone
	CodeUnlisted   = "unlisted"    // a file that the manifest does not list
	CodeAltered    = "altered"     // a file or entry is not what was signed
	CodeOrder      = "order"       // an entry stands where another belongs
	CodeSignature  = "signature"   // a signature does not hold
	CodeRoot       = "root"        // a checkpoint does not fit the signed tree
	CodeDecision   = "decision"    // a decision is not what its policy gives
	CodeUnknownKey = "unknown-key" // signed by another key than the trusted one
)

// Finding is one thing wrong. Index is the entry it is about, -1 where none.
type Finding struct {
	Code   string `json:"code"`
	File   string `json:"file,omitempty"`
	Index  int64  `json:"index"`
	Detail string `json:"detail"`
}

// String names what was tampered with, for people.
func (f Finding) String() string {
	switch {
	case f.Index >= 0 && f.File != "":
		return fmt.Sprintf("entry %d in %s: %s", f.Index, f.File, f.Detail)
	case f.Index >= 0:
		return fmt.Sprintf("entry %d: %s", f.Index, f.Detail)
	case f.File != "":
		return fmt.Sprintf("%s: %s", f.File, f.Detail)
	}
	return f.Detail
}

// Check is one check that was made, for people: its name and what it covered.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	N    int64  `json:"n"`
}

// VerifyResult is what VerifyPack found.
type VerifyResult struct {
	Verdict     string   `json:"verdict"`
	ExitCode    int      `json:"exit_code"`
	Log         string   `json:"log"`
	Workspace   string   `json:"workspace"`
	Created     string   `json:"created"`
	Fingerprint string   `json:"fingerprint"`
	KeyTrusted  bool     `json:"key_trusted"`
	First       int64    `json:"first"`
	Events      int64    `json:"events"`
	Size        int64    `json:"size"`
	Signed      string   `json:"signed"` // time of the checkpoint
	Refusals    int64    `json:"refusals"`
	RootLog     string   `json:"root_log,omitempty"`  // that holds the checkpoint
	Witnesses   []string `json:"witnesses,omitempty"` // that cosigned its checkpoint
	// Silent are the times between two checkpoints that lie more than an hour apart:
	// the log did not run, and vouches for nothing then.
	Silent   []Interval `json:"silent,omitempty"`
	Checks   []Check    `json:"checks"`
	Findings []Finding  `json:"findings"` // tampering, in the order of files and entries
	Omitted  int64      `json:"omitted"`  // findings not listed
	Missing  []string   `json:"missing"`  // what would be needed to decide
}

// Interval is the time between two checkpoints.
type Interval struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// maxFindings bounds what a result lists.
const maxFindings = 100

// VerifyPack checks an evidence pack, a ZIP or an unpacked folder, offline. What it
// finds is in the result; the error says that nothing could be read at all
// (fs.ErrNotExist, ErrNotPack, audit.ErrKey for opt.Key), for which exit code 2
// stands too.
func VerifyPack(path string, opt VerifyOptions) (*VerifyResult, error) {
	r := &VerifyResult{Checks: []Check{}, Findings: []Finding{}, Missing: []string{}}
	v := &verifier{opt: opt, r: r}
	if opt.Key != nil {
		var err error
		if v.trusted, err = audit.ParseVerifierKey(opt.Key); err != nil {
			return nil, err
		}
	}
	a, err := openArchive(path)
	if err != nil {
		return nil, err
	}
	defer a.close()
	v.a = a
	for _, f := range a.damage {
		v.find(f)
	}
	if v.manifest() {
		v.contents()
	}
	return v.finish(), nil
}

// verifier is one run of VerifyPack.
type verifier struct {
	opt     VerifyOptions
	r       *VerifyResult
	a       *archive
	trusted note.Verifier // of opt.Key; nil without
	key     note.Verifier // used
	m       Manifest
	listed  map[string]File
	head    audit.Checkpoint
	tree    *tree
	byFile  map[string]bool // files with a finding
	broken  error           // why tiles cannot be used; nil if they can
	same    int64           // decisions made again alike
	again   int64           // decisions made again
	retired []note.Verifier // keys of the log before key
	answers answers
}

func (v *verifier) find(f Finding) {
	if v.byFile == nil {
		v.byFile = map[string]bool{}
	}
	if f.File != "" {
		v.byFile[f.File] = true
	}
	if len(v.r.Findings) >= maxFindings {
		v.r.Omitted++
		return
	}
	v.r.Findings = append(v.r.Findings, f)
}

func (v *verifier) tampered(code, file string, index int64, format string, args ...any) {
	v.find(Finding{Code: code, File: file, Index: index, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) missing(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, m := range v.r.Missing {
		if m == text {
			return
		}
	}
	if len(v.r.Missing) < maxFindings {
		v.r.Missing = append(v.r.Missing, text)
	}
}

func (v *verifier) check(name string, before int, n int64) {
	v.r.Checks = append(v.r.Checks, Check{Name: name, OK: len(v.r.Findings) == before, N: n})
}

func (v *verifier) finish() *VerifyResult {
	r := v.r
	sort.SliceStable(r.Findings, func(i, j int) bool { return rank(r.Findings[i]) < rank(r.Findings[j]) })
	switch {
	case len(r.Findings) > 0:
		r.Verdict, r.ExitCode = Tampered, 1
	case len(r.Missing) > 0:
		r.Verdict, r.ExitCode = Undecided, 2
	default:
		r.Verdict, r.ExitCode = Fine, 0
	}
	return r
}

// rank puts findings about entries first: they name the record, the others the file
// it stands in.
func rank(f Finding) int {
	if f.Index >= 0 {
		return 0
	}
	return 1
}

// small reads a whole file of at most limit bytes; ok is false after a finding.
func (v *verifier) small(name string, limit int64) (data []byte, ok bool) {
	open := v.a.files[name]
	if open == nil {
		v.tampered(CodeMissing, name, -1, "is missing")
		return nil, false
	}
	f, err := open()
	if err == nil {
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, limit+1))
	}
	if err != nil || int64(len(data)) > limit {
		v.tampered(CodeAltered, name, -1, "cannot be read")
		return nil, false
	}
	return data, true
}

// manifest finds the key, checks the signature over the manifest and parses it. It
// returns whether the contents can be looked at.
func (v *verifier) manifest() bool {
	before := len(v.r.Findings)
	data, ok1 := v.small(fileManifest, maxManifest)
	signature, ok2 := v.small(fileSignature, maxSmall)
	if !ok1 || !v.pickKey() {
		return false
	}
	if ok2 {
		if err := checkManifest(data, signature, v.key); err != nil {
			v.blame(data)
		} else if m, err := parseManifest(data); err == nil && (m.Format != Format || m.Version != Version) {
			v.missing("a newer vitrine: this one knows %s version %d, the pack says %s version %d", Format, Version, m.Format, m.Version)
			return false
		}
	}
	m, err := parseManifest(data)
	if err != nil {
		v.tampered(CodeAltered, fileManifest, -1, "is malformed")
		return false
	}
	v.m = m
	v.r.Log, v.r.Workspace, v.r.Created, v.r.First, v.r.Events, v.r.Size = m.Log, m.Workspace, m.Created, m.First, m.Events, m.Size
	if m.Log != v.key.Name() {
		v.tampered(CodeAltered, fileManifest, -1, "names another log than its key")
	}
	v.check("manifest", before, 1)
	return true
}

// blame says which of key, manifest and signature was touched, where that can be
// known: the checkpoint is signed with the same key.
func (v *verifier) blame(manifest []byte) {
	file, what := fileManifest, "is not what was signed (or manifest.sig was altered)"
	if open := v.a.files[fileCheckpoint]; open != nil {
		if data, ok := v.small(fileCheckpoint, maxSmall); ok {
			if _, err := audit.OpenCheckpoint(data, v.key); err != nil && v.trusted == nil {
				file, what = fileKey, "is not the key that signed manifest.sig and checkpoint"
			}
		}
	}
	if file == fileManifest {
		if signature, ok := v.small(fileSignature, maxSmall); ok {
			if _, err := audit.OpenNote(signature, v.key); err != nil {
				file, what = fileSignature, "is not a signature of this log's key"
			}
		}
	}
	v.tampered(CodeSignature, file, -1, "%s", what)
}

// pickKey takes the trusted key, or without one the pack's own.
func (v *verifier) pickKey() bool {
	if v.trusted == nil && v.opt.RequireKey {
		v.missing("the log's public key (--key FILE), which --require-key asks for")
	}
	data, ok := v.small(fileKey, maxSmall)
	if ok {
		packed, err := audit.ParseVerifierKey(data)
		switch {
		case err != nil || !strings.HasSuffix(string(data), "\n") || strings.Count(string(data), "\n") != 1 || strings.Contains(string(data), "\r"):
			v.tampered(CodeAltered, fileKey, -1, "is not a public key")
		case v.trusted == nil:
			v.key = packed
			v.r.Fingerprint = audit.Fingerprint(string(data))
		case v.succeeded(strings.TrimSpace(string(v.opt.Key)), strings.TrimSuffix(string(data), "\n")):
			v.trusted = packed
		case string(strings.TrimSpace(string(v.opt.Key))) != strings.TrimSuffix(string(data), "\n"):
			v.tampered(CodeUnknownKey, fileKey, -1, "the pack is signed by %s, not by the key given (%s)", audit.Fingerprint(string(data)), audit.Fingerprint(string(v.opt.Key)))
		}
	}
	if v.trusted != nil {
		v.key, v.r.KeyTrusted = v.trusted, true
		v.r.Fingerprint = audit.Fingerprint(string(v.opt.Key))
	}
	return v.key != nil
}

// Sentence is the result in one line for people.
func (r *VerifyResult) Sentence() string {
	who := "signed by " + r.Fingerprint
	if !r.KeyTrusted {
		who += " (taken from the pack, not authenticated)"
	}
	switch r.Verdict {
	case Fine:
		return fmt.Sprintf("fine: %d entries, %d to %d of a log of %d, nothing altered; %s", r.Events, r.First, r.First+r.Events-1, r.Size, who)
	case Tampered:
		return "tampered: " + r.Findings[0].String()
	}
	return "cannot decide: missing " + strings.Join(r.Missing, "; ")
}

// IsUndecided says whether an error of VerifyPack means that there was no pack to
// judge, for callers that map errors to exit codes.
func IsUndecided(err error) bool {
	return errors.Is(err, ErrNotPack) || errors.Is(err, audit.ErrKey) || errors.Is(err, os.ErrNotExist)
}
