// Package witness is both ends of C2SP tlog-witness: the client that asks witnesses to
// cosign a log's checkpoints, and the witness itself, so that two installations can
// witness each other. It knows neither the log's database nor the web framework.
package witness
