// Package grammar makes a model write in a form: a JSON document that a schema allows, any
// JSON object, or a text that a regular expression matches.
//
// # What is promised
//
// A finished answer is in the form, whatever the model's numbers say: at each step only
// tokens stay possible that lead on to a whole document, and the end only where one is
// complete. An answer that runs out of tokens is a beginning of such a document, and
// nothing else.
//
// What a schema says is enforced or the schema is refused with [ErrUnsupported] and the
// keyword's name; nothing is passed over. What is written is a subset of what the schema
// allows where a choice without loss makes it smaller: the properties of an object come in
// the schema's order, numbers have at most 18 digits before the point and no leading zeros,
// white space is short, an object whose properties are listed has others only where
// additionalProperties asks for them, and texts of enum and const are written in one way.
// Two further properties of one object may have one name; each value then fits the schema.
//
// # How it works
//
// A schema becomes a recursive transition network over bytes (Woods 1970): one rule a
// subschema, with calls for what is nested. Its configurations are made into
// deterministic states while they are needed; each state knows the vocabulary's tokens
// that can follow from a walk over the trie of their bytes. Tokens that hold parts of a
// character need no care, since characters are bytes as well.
//
// Schemas, patterns and their networks are bounded in size and depth; so is the work of one
// step, so that no request can stop a server.
package grammar
