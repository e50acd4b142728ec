// Package privacy finds personal data in text, masks it, and encrypts what is
// stored with one key per data subject.
//
// Recognisers combine a pattern (RE2: linear time on any input), a checksum
// where the identifier has one, and words nearby that raise the score. They see
// a normalised text: full-width and other decimal digits as 0-9, zero-width
// characters gone. Offsets always count characters (code points) of the text as
// it was given.
//
// Not covered: names, postal addresses, and identifiers written out in words.
package privacy
