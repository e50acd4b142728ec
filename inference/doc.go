// Package inference loads a published checkpoint, runs it, taps any intermediate value and differentiates any value with
// respect to any other, in plain Go and Go assembly.
//
// # The numeric contract
//
// Logits, hidden states, attention maps and gradients are float32 and a pure function of weights, input and request. They
// are the same bits for any thread count, any batch an example happens to ride in, any chunking of a path and any CPU
// level, on amd64 and arm64. That is what lets an auditor replay a decision on another machine. It holds because
//
//   - every element of a matrix product is one chain of fused multiply-adds in a fixed order, every reduction over a row
//     uses 16 virtual lanes, and every elementary function is one fixed list of steps (package kernel);
//   - padding never enters: a batch of unequal lengths is run in groups of equal ones;
//   - no fusion changes the arithmetic (package op), so that asking for a tap or a gradient does not change the output;
//   - the order in which gradients are added up depends on the graph only (package graph).
//
// EngineVersion changes whenever a bit does; TestFrozenBits holds both together.
//
// # From folder to answer
//
// Open reads config.json and hands it to the family that its model_type names (package family), which reads the weights
// (packages weights and nn) and builds a graph of ops for each shape on demand. Encode makes examples of a text or a
// picture (packages tokenizer and vision): one, or overlapping windows for a text longer than the model takes. Run compiles
// the graph for the question asked, keeps the plan for the next time, and executes it. Predict does all of it and lets the
// task (package task) turn outputs into labels, entities or a vector. A GGUF file reads as such a folder: package gguf gives
// its config, weights and tokenizer the hub's form. Conversations are written the way the checkpoint's chat template says
// (package template).
//
// # What a run may take
//
// The memory of a run is known before it starts: its plan has a place for every value. A batch is divided, several targets
// are taken one at a time, and a reverse pass computes values again where that keeps the run below RunSpec.Memory or the
// process's MemoryBudget; what does not fit then is refused with both numbers. Runs share the budget: one waits while others
// leave too little. Threads bounds the processors of one run. A run whose context ends stops within 100 ms, inside long
// nodes too.
//
// # Generation
//
// Write continues a text, answers a conversation (package template writes it down as the checkpoint expects) or, with an
// encoder, summarises and translates, long documents in windows. Continue and Score do the same for ids. Package generate keeps
// keys and values page by page and runs the steps of all requests together; a row of a step has the bits that the same position
// has in a run of the whole sequence, so that who shares a step, what was known before and how a prompt was cut do not show.
//
// # Adding things
//
// An op, a family, a task or a tokenizer model is one file that registers itself in init; the conformance test of its
// registry runs over it from then on.
//
// Letters for shapes: B batch, T tokens, D model width, H heads, C channels or classes.
package inference
