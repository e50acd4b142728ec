package privacy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// LoadRootKey reads the root key file: 64 hexadecimal digits and a line feed,
// mode 0600. If the file does not exist and create is set, a new key is written
// to it, its folder made with mode 0700. Pass create only while nothing is
// encrypted yet: a second key would not open what the first one sealed.
func LoadRootKey(path string, create bool) ([]byte, error) {
	data, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		return newRootKey(path)
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("%w: the key file must hold %d hexadecimal digits", ErrRootKey, 2*KeySize)
	}
	return key, nil
}

func readKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRootKey, err)
	}
	// Windows keeps no such mode; there the user profile's access list protects.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: others can read the key file; run chmod 600 on it", ErrRootKey)
	}
	if !info.Mode().IsRegular() || info.Size() > 1024 {
		return nil, fmt.Errorf("%w: the key file is no small regular file", ErrRootKey)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRootKey, err)
	}
	return data, nil
}

// newRootKey writes a fresh key under another name and links it into place, so
// that a crash leaves no half a key and two starts at once agree on one.
func newRootKey(path string) ([]byte, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("privacy: making the key folder: %w", err)
	}
	key := make([]byte, KeySize)
	rand.Read(key)
	f, err := os.CreateTemp(dir, ".root-*") // CreateTemp makes files with mode 0600
	if err != nil {
		return nil, fmt.Errorf("privacy: writing the root key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return LoadRootKey(path, false)
	}
	if err != nil {
		return nil, fmt.Errorf("privacy: writing the root key: %w", err)
	}
	return key, nil
}
