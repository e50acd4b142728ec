package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, which authenticator apps understand
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Parameters of the one-time codes: RFC 6238 with what every authenticator app takes.
const (
	totpStep   = 30 * time.Second
	totpDigits = 6
	// totpSkew is how many steps a clock may be off either way (RFC 6238 §5.2).
	totpSkew   = 1
	totpSecret = 20 // bytes, the length of a SHA-1 digest (RFC 4226 §4)
)

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSecret makes the random secret of an authenticator app.
func NewSecret() []byte {
	b := make([]byte, totpSecret)
	rand.Read(b)
	return b
}

// SecretText is the secret as a person types it: Base32 in groups of four.
func SecretText(secret []byte) string { return grouped(base32Plain.EncodeToString(secret)) }

// ProvisioningURI is what an authenticator app reads from a QR code (the Key URI
// Format: otpauth://totp/ISSUER:ACCOUNT).
func ProvisioningURI(secret []byte, issuer, account string) string {
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + account,
		RawQuery: "secret=" + base32Plain.EncodeToString(secret) + "&issuer=" + url.QueryEscape(issuer)}
	return u.String()
}

// totpCode is the code of one step: RFC 4226 §5.3 over the step as a counter.
func totpCode(secret []byte, step int64) string {
	mac := hmac.New(sha1.New, secret)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, n%1_000_000)
}

// matchingStep finds the step whose code was typed, the newest first; ok false for none.
// Every candidate is compared, so that time does not tell which one was near.
func matchingStep(secret []byte, code string, now time.Time) (step int64, ok bool) {
	current := now.Unix() / int64(totpStep/time.Second)
	for s := current - totpSkew; s <= current+totpSkew; s++ {
		if subtle.ConstantTimeCompare([]byte(totpCode(secret, s)), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok
}

// Recovery codes: ten of 80 random bits each, so that a plain hash suffices.
const (
	recoveryCodes = 10
	recoveryBytes = 10
)

func newRecoveryCodes() (codes, hashes []string) {
	for range recoveryCodes {
		b := make([]byte, recoveryBytes)
		rand.Read(b)
		text := base32Plain.EncodeToString(b)
		codes, hashes = append(codes, grouped(text)), append(hashes, tokenHash(text))
	}
	return codes, hashes
}

// typed removes what people put between the characters of a code.
func typed(code string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "\t", "", "\u00a0", "").Replace(code))
}

func grouped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 4 {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(s[i:min(i+4, len(s))])
	}
	return b.String()
}
