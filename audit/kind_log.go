package audit

func init() {
	system := Event{Actor: "system", Object: "log:01JD0000000000000000000007"}
	register(Kind{Code: "LOG.CREATED.OK", Class: Strict, Sample: system})
	// A database older than the last checkpoint this host signed was put back and
	// an operator accepted the loss.
	register(Kind{Code: "LOG.RESTORED.OK", Class: Strict, Sample: system, Numbers: []string{"size", "signed_size"}})
	// The root log's entries: the head of a workspace's log. The digest is of the
	// checkpoint's text, without signatures.
	anchored := system
	anchored.Digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	register(Kind{Code: "LOG.ANCHORED.OK", Class: Strict, Sample: anchored, Numbers: []string{"size"}})
	// The log goes on under another key; the digest is of its public half.
	rotated := Event{Action: "key.manage", Object: system.Object, Digest: anchored.Digest}
	register(Kind{Code: "LOG.ROTATED.OK", Class: Strict, Decided: true, Sample: rotated})
	register(Kind{Code: "LOG.ROTATED.DENIED", Class: Strict, Sample: Event{Action: "key.manage", Object: system.Object}})
	register(Kind{Code: "EVENTS.DROPPED.OK", Class: Strict, Sample: system, Numbers: []string{"dropped"}})

	read := Event{Action: "audit.read", Object: "log:01JD0000000000000000000007", Auth: "password"}
	register(Kind{Code: "AUDIT.READ.OK", Class: BestEffort, Decided: true, Sample: read})
	register(Kind{Code: "AUDIT.READ.DENIED", Class: Strict, Sample: read})
	register(Kind{Code: "AUDIT.VERIFIED.OK", Class: Strict, Sample: read, Numbers: []string{"size"}})
	register(Kind{Code: "AUDIT.VERIFIED.FAILED", Class: Strict, Sample: read, Numbers: []string{"size", "index"}})
}
