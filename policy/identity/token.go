package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// newToken is 256 random bits as text without padding.
func newToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// tokenHash is what is stored of a token. A plain hash is enough: 256 random
// bits cannot be guessed.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

const (
	keyMark      = "vk_"
	keyPrefixLen = len(keyMark) + 10
)

// newKey makes an API key, "vk_" and 10 characters of prefix, "_" and a token.
func newKey() (key, prefix string) {
	b := make([]byte, 5)
	rand.Read(b)
	prefix = keyMark + hex.EncodeToString(b)
	return prefix + "_" + newToken(), prefix
}

// keyPrefix returns the prefix of something that looks like an API key.
func keyPrefix(key string) (string, bool) {
	if len(key) != keyPrefixLen+1+43 || !strings.HasPrefix(key, keyMark) || key[keyPrefixLen] != '_' {
		return "", false
	}
	return key[:keyPrefixLen], true
}
