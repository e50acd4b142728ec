// Package ui holds the components that pages are made of, and the one way in
// which the console writes numbers, times and hashes.
package ui

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vitrine/views/i18n"
)

// Num writes v with the given number of decimals, digit groups in the whole
// part and a true minus sign; a value that rounds to zero has no sign. NaN and
// infinities are written as words a reader can search for.
func Num(v float64, decimals int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		if v < 0 {
			return "−∞"
		}
		return "∞"
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, frac, dot := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		whole += "." + frac
	}
	if v < 0 && strings.Trim(s, "0.") != "" {
		return "−" + whole
	}
	return whole
}

// Signed is Num with a plus sign before positive values.
func Signed(v float64, decimals int) string {
	s := Num(v, decimals)
	if v > 0 && strings.Trim(s, "0.,") != "" {
		return "+" + s
	}
	return s
}

// Percent writes a share between 0 and 1 as per cent with one decimal.
func Percent(share float64) string { return Num(share*100, 1) + " %" }

// Count writes an integer with digit groups.
func Count[T int | int64](n T) string { return i18n.Group(int64(n)) }

// Seconds writes a duration in seconds with the precision that its size asks for.
func Seconds(s float64) string {
	switch {
	case s < 0.0095:
		return Num(s*1000, 1) + " ms"
	case s < 0.995:
		return Num(s, 2) + " s"
	case s < 99.5:
		return Num(s, 1) + " s"
	}
	return Num(s, 0) + " s"
}

// Time writes t in UTC to the second with its zone.
func Time(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Clock writes the time of day of t in UTC.
func Clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("15:04:05Z")
}

// ISO writes t for a datetime attribute.
func ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Hash groups a hexadecimal digest by eight digits.
func Hash(hex string) string {
	var b strings.Builder
	for i := 0; i < len(hex); i += 8 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(hex[i:min(i+8, len(hex))])
	}
	return b.String()
}

// Short is the first twelve digits of a digest with an ellipsis.
func Short(hex string) string {
	if len(hex) <= 12 {
		return hex
	}
	return hex[:12] + "…"
}

// ShortID is the last eight characters of an identifier, where a row links to
// the whole one.
func ShortID(id string) string {
	if len(id) <= 10 {
		return id
	}
	return "…" + id[len(id)-8:]
}

// Set returns addr (path and query) with the query parameters replaced; pairs
// of name and value, an empty value removes the parameter.
func Set(addr string, pairs ...string) string {
	path, query, _ := strings.Cut(addr, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		q = url.Values{}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Bytes writes a size in units of 1,024.
func Bytes(n int64) string {
	switch {
	case n < 1<<10:
		return Count(n) + " B"
	case n < 1<<20:
		return Num(float64(n)/(1<<10), 1) + " KiB"
	}
	return Num(float64(n)/(1<<20), 1) + " MiB"
}
