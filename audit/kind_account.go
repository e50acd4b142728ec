package audit

// What people do with their own account; nobody but themselves is asked, so there is no
// decision.
func init() {
	own := Event{Object: "user:01JD0000000000000000000005", Auth: "password"}
	register(Kind{Code: "ACCOUNT.CHANGED.OK", Class: Strict, Sample: own, Codes: []string{"change"}})
	register(Kind{Code: "ACCOUNT.CHANGED.FAILED", Class: Strict, Sample: own, Codes: []string{"change"}})
	// The person behind a session proved again who they are, or could not.
	proved := Event{Object: "session:01JD0000000000000000000003", Auth: "password"}
	register(Kind{Code: "SESSION.PROVED.OK", Class: Strict, Sample: proved})
	register(Kind{Code: "SESSION.PROVED.FAILED", Class: Strict, Sample: proved})
}
