package report

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"vitrine/audit"
)

// root checks that the pack's checkpoint is an entry of the root log, and who cosigned
// the root log's own. A pack without that entry says so only where a trust policy asks.
func (v *verifier) root() {
	if _, ok := v.listed[fileRootEntry]; !ok {
		if v.opt.Trust != nil {
			v.missing("the root log's entry about this log, which --trust asks for")
		}
		return
	}
	before := len(v.r.Findings)
	vkey, ok1 := v.small(fileRootKey, maxSmall)
	leaf, ok2 := v.small(fileRootEntry, maxSmall)
	proof, ok3 := v.small(fileRootProof, maxSmall)
	if !ok1 || !ok2 || !ok3 {
		return
	}
	key, err := audit.ParseVerifierKey(vkey)
	if err != nil {
		v.tampered(CodeAltered, fileRootKey, -1, "is not a public key")
		return
	}
	v.r.RootLog = key.Name()
	f, err := audit.ParseProofFile(proof)
	if err == nil {
		_, err = f.Verify(leaf, key)
	}
	if err != nil {
		v.tampered(CodeAltered, fileRootProof, -1, "does not prove the root log's entry")
		return
	}
	id := v.m.Log[strings.LastIndexByte(v.m.Log, '/')+1:]
	e, err := audit.ParseLeaf(leaf)
	if err != nil || e.Code != "LOG.ANCHORED.OK" || e.Object != "log:"+id || e.Numbers["size"] != v.head.Size || e.Digest != v.head.TextDigest() {
		v.tampered(CodeRoot, fileRootEntry, -1, "names another checkpoint than the pack's")
	}
	v.witnesses(f.Checkpoint, string(vkey))
	v.check("root log", before, 1)
}

// witnesses lists who cosigned the root log's checkpoint, and asks for enough of them
// where a trust policy was given. The pack's own policy is a statement of its maker.
func (v *verifier) witnesses(checkpoint []byte, rootKey string) {
	trust := v.opt.Trust
	if trust == nil {
		data, err := []byte(nil), error(nil)
		if _, ok := v.listed[fileTrust]; ok {
			data, err = v.read(fileTrust, maxSmall)
		}
		if data == nil || err != nil {
			return
		}
		if trust, err = audit.ParseTrust(data); err != nil {
			v.tampered(CodeAltered, fileTrust, -1, "is not a trust policy")
			return
		}
	}
	by, enough, err := trust.Witnessed(checkpoint)
	if err != nil {
		v.tampered(CodeSignature, fileRootProof, -1, "a witness's cosignature does not hold")
		return
	}
	for _, c := range by {
		v.r.Witnesses = append(v.r.Witnesses, c.Witness+" "+audit.FormatTime(c.Time))
	}
	if v.opt.Trust == nil {
		return
	}
	if !enough {
		v.missing("enough witnesses: %d cosigned, which is not the quorum of the trust policy", len(by))
	}
	if len(trust.Logs) > 0 && !known(trust.Logs, strings.TrimSpace(rootKey)) {
		v.tampered(CodeUnknownKey, fileRootKey, -1, "is none of the logs of the trust policy")
	}
}

func known(logs []audit.TrustedLog, vkey string) bool {
	for _, l := range logs {
		if audit.Fingerprint(l.VerifierKey) == audit.Fingerprint(vkey) && l.VerifierKey == vkey {
			return true
		}
	}
	return false
}

// maxSuccessions bounds the keys that a log can have had.
const maxSuccessions = 1000

func successionPath(n int) string { return fmt.Sprintf("%s%03d.note", folderKeys, n) }

// succeeded reads how the log's keys followed each other, remembers those before the
// packed one, and says whether the trusted key is one of them. Each statement is signed
// by the key before and the key after, so that a trusted one vouches for the next.
func (v *verifier) succeeded(trusted, packed string) bool {
	var chain []audit.Succession
	for n := 1; n <= maxSuccessions && v.a.files[successionPath(n)] != nil; n++ {
		data, err := v.read(successionPath(n), maxSmall)
		if err != nil {
			return false
		}
		s, err := audit.OpenSuccession(data)
		if err != nil || len(chain) > 0 && chain[len(chain)-1].New != s.Old {
			v.tampered(CodeSignature, successionPath(n), -1, "does not hold")
			return false
		}
		chain = append(chain, s)
	}
	if len(chain) == 0 || chain[len(chain)-1].New != packed {
		return false
	}
	found := false
	for _, s := range chain {
		if k, err := audit.ParseVerifierKey([]byte(s.Old)); err == nil {
			v.retired = append(v.retired, k)
		}
		found = found || s.Old == trusted
	}
	return found
}

// openOlder verifies a checkpoint by the key of the pack or one before it; that it is a
// prefix of the signed tree is for the caller to check.
func (v *verifier) openOlder(signed []byte) (audit.Checkpoint, error) {
	c, err := audit.OpenCheckpoint(signed, v.key)
	for _, k := range v.retired {
		if err == nil {
			break
		}
		c, err = audit.OpenCheckpoint(signed, note.Verifier(k))
	}
	return c, err
}

// previous checks that the pack continues an earlier one.
func (v *verifier) previous() {
	data, err := CheckpointOf(v.opt.Previous)
	if err != nil {
		v.missing("the earlier pack or checkpoint: %v", err)
		return
	}
	c, err := v.openOlder(data)
	if err != nil {
		v.tampered(CodeSignature, fileCheckpoint, -1, "the earlier checkpoint is not signed by a key of this log")
		return
	}
	if c.Size > v.head.Size {
		v.tampered(CodeRoot, fileCheckpoint, -1, "is older than the earlier one: %d entries, then %d", v.head.Size, c.Size)
		return
	}
	if v.broken != nil {
		return
	}
	switch err := v.tree.holds(c); {
	case errors.Is(err, audit.ErrProof):
		v.tampered(CodeRoot, fileCheckpoint, c.Size-1, "the signed tree does not continue the earlier checkpoint of %d entries", c.Size)
	case err != nil:
		v.missing("the hashes that tie this pack to the earlier checkpoint of %d entries; export one from entry %d on", c.Size, c.Size)
	}
}

// CheckpointOf reads the signed checkpoint of an evidence pack, or of a checkpoint's own file.
func CheckpointOf(path string) ([]byte, error) {
	if a, err := openArchive(path); err == nil {
		defer a.close()
		return (&verifier{a: a}).read(fileCheckpoint, maxSmall)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSmall {
		return nil, fmt.Errorf("%w", ErrNotPack)
	}
	return os.ReadFile(path)
}

// silence notes that two checkpoints lie too far apart for the log to have run.
func (v *verifier) silence(a, b audit.Checkpoint) {
	const hour = 2 * time.Hour // the last one of an hour and the last one of the next
	if a.Time.IsZero() || b.Time.Sub(a.Time) <= hour || len(v.r.Silent) == maxFindings {
		return
	}
	v.r.Silent = append(v.r.Silent, Interval{audit.FormatTime(a.Time), audit.FormatTime(b.Time)})
}
