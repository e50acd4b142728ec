// Package hub brings checkpoints from elsewhere into a folder: a repository of a model hub
// at a revision, a file at an address, and what lies within an archive.
//
// # What is promised
//
// A folder that [Client.Fetch] leaves without an error holds whole files only, each as long
// and with the digest that the hub's listing or the caller named, and none that holds code:
// configuration, tokenizer and weights by their names, weights as safetensors or GGUF. What
// was interrupted is gone on with by the next Fetch into the same folder, and is digested
// as a whole.
//
// Requests go over HTTPS to hosts of the allow-list, redirects included, and to public
// addresses: a name that resolves to a machine of the inner network is refused when the
// connection is made. The hub's own address is the operator's choice and may be anything,
// such as a mirror within. Sizes are bounded before and while files come.
package hub
