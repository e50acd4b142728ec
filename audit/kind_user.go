package audit

func init() {
	sample := Event{Action: "user.manage", Object: "user:01JD0000000000000000000005", Auth: "password"}
	// The first administrator and the accounts of a demonstration are added
	// before there is anyone to ask, so no decision is required.
	register(Kind{Code: "USER.ADDED.OK", Class: Strict, Sample: sample, Commitments: []string{"name"}, Codes: []string{"role", "source"}})
	register(Kind{Code: "USER.ADDED.DENIED", Class: Strict, Sample: sample, Commitments: []string{"name"}, Codes: []string{"role"}})
	register(Kind{Code: "USER.CHANGED.OK", Class: Strict, Decided: true, Sample: sample, Commitments: []string{"name"}, Codes: []string{"role", "change"}})
	register(Kind{Code: "USER.CHANGED.DENIED", Class: Strict, Sample: sample, Codes: []string{"role", "change"}})
	register(Kind{Code: "USER.DISABLED.OK", Class: Strict, Decided: true, Sample: sample})
	register(Kind{Code: "USER.DISABLED.DENIED", Class: Strict, Sample: sample})
	register(Kind{Code: "USER.READ.DENIED", Class: Strict, Sample: sample})
}
