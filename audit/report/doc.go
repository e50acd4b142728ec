// Package report carries a log out: as JSON lines, as a spreadsheet, as an evidence
// pack that proves itself offline, and as a language-neutral report model
// (Document) that renderers turn into pages and PDFs for people. VerifyPack is the other end: it checks a
// pack without server, database or network.
//
// A pack is a small static log: the signed checkpoint, the entries of one range of
// indexes, and those hash tiles (C2SP tlog-tiles) that tie every entry of the range
// to the checkpoint's root. Around it stand the policies and model cards that the
// entries name, and a manifest, signed with the log's key, that lists every file.
package report
