package audit

func init() {
	sample := Event{Object: "session:01JD0000000000000000000003", Auth: "password"}
	register(Kind{Code: "SESSION.OPENED.OK", Class: Strict, Sample: sample, Commitments: []string{"address", "agent"}})
	// The account tried is committed, not named: whoever mistypes a password into
	// the name field must not find it in an append-only log.
	register(Kind{Code: "SESSION.OPENED.FAILED", Class: Strict, Sample: Event{Actor: "anonymous", Auth: "password", Reason: "wrong-password"},
		Commitments: []string{"account", "address", "agent"}, Numbers: []string{"attempt"}})
	register(Kind{Code: "SESSION.CLOSED.OK", Class: Strict, Sample: sample})
}
