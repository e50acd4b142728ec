// Package generate continues sequences of ids: it keeps what a network remembers of them page by page, runs the steps of all
// requests together, and chooses the next ids by one of the published rules.
//
// # What is promised
//
// The ids of a request, their log-probabilities and the scores of its beams are a pure function of weights, prompt and options:
// the same on every processor, whoever shares a step with it, however a prompt is cut into chunks and whether a prefix of it was
// computed before. That follows from the numeric contract of the engine: a row of a step is computed from its own sequence alone.
// Sampling draws from a generator that belongs to the request and is seeded by it.
//
// # How a request runs
//
// Start validates the options, reserves the memory that the whole request may need, and waits while others hold it. Each step of
// the request is a few rows (a chunk of the prompt, then one row a beam) handed to the Engine, which gathers the rows of all
// requests under way into one run of the network. A context that ends makes the request return at once; what it was waiting for
// is dropped.
//
// A prompt longer than the network takes is an error and never cut.
package generate
