package audit

func init() {
	system := Event{Actor: "system", Object: "log:01JD0000000000000000000007"}
	register(Kind{Code: "LOG.CREATED.OK", Class: Strict, Sample: system})
	// A database older than the last checkpoint this host signed was put back and
	// an operator accepted the loss.
	register(Kind{Code: "LOG.RESTORED.OK", Class: Strict, Sample: system, Numbers: []string{"size", "signed_size"}})
	register(Kind{Code: "EVENTS.DROPPED.OK", Class: Strict, Sample: system, Numbers: []string{"dropped"}})

	read := Event{Action: "audit.read", Object: "log:01JD0000000000000000000007", Auth: "password"}
	register(Kind{Code: "AUDIT.READ.OK", Class: BestEffort, Decided: true, Sample: read})
	register(Kind{Code: "AUDIT.READ.DENIED", Class: Strict, Sample: read})
	register(Kind{Code: "AUDIT.VERIFIED.OK", Class: Strict, Sample: read, Numbers: []string{"size"}})
	register(Kind{Code: "AUDIT.VERIFIED.FAILED", Class: Strict, Sample: read, Numbers: []string{"size", "index"}})
}
