package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// recipients are the age recipients of --recipient; nil without one.
func recipients(list []string) ([]age.Recipient, error) {
	if len(list) == 0 {
		return nil, nil
	}
	r, err := age.ParseRecipients(strings.NewReader(strings.Join(list, "\n")))
	if err != nil {
		return nil, usagef("--recipient is an age public key like age1…")
	}
	return r, nil
}

const recipientUsage = "age public `key` (age1…) to encrypt the file to; may be given several times"

// writeWhole writes a file beside its final name, encrypted where there are recipients,
// and renames it once it is whole and on disk, so that a broken transfer leaves nothing.
func writeWhole(out string, to []age.Recipient, write func(w io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(out), ".vitrine-*")
	if err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	err = func() error {
		if to == nil {
			return write(tmp)
		}
		sealed, err := age.Encrypt(tmp, to...)
		if err != nil {
			return err
		}
		return errors.Join(write(sealed), sealed.Close())
	}()
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	return os.Rename(tmp.Name(), out)
}

// ageHeader begins every file that age encrypted.
const ageHeader = "age-encryption.org/"

var errSealed = errors.New("the file is encrypted with age")

// unseal returns the path of what is in a file that age may have encrypted: the file
// itself, or what identity's file opens it to, in a temporary file that done removes.
func unseal(path, identity string) (plain string, done func(), err error) {
	done = func() {}
	f, err := os.Open(path)
	if err != nil {
		return "", done, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return path, done, err
	}
	in := bufio.NewReader(f)
	if head, _ := in.Peek(len(ageHeader)); string(head) != ageHeader {
		return path, done, nil
	}
	if identity == "" {
		return "", done, &withHint{errSealed, "give the key it was encrypted to: --identity FILE (or: age --decrypt -i FILE)"}
	}
	keys, err := os.Open(identity)
	if err != nil {
		return "", done, fmt.Errorf("the identity: %w", err)
	}
	defer keys.Close()
	ids, err := age.ParseIdentities(io.LimitReader(keys, 1<<20))
	if err != nil {
		return "", done, &withHint{errors.New("the identity file holds no age key"), "age-keygen makes one"}
	}
	r, err := age.Decrypt(in, ids...)
	if err != nil {
		return "", done, &withHint{errSealed, "the key of --identity is not one that it was encrypted to"}
	}
	tmp, err := os.CreateTemp("", "vitrine-*.zip")
	if err != nil {
		return "", done, err
	}
	done = func() { os.Remove(tmp.Name()) }
	_, err = io.Copy(tmp, r)
	if err = errors.Join(err, tmp.Close()); err != nil {
		done()
		return "", func() {}, fmt.Errorf("decrypting: %w", err)
	}
	return tmp.Name(), done, nil
}
