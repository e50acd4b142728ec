package audit

func init() {
	sample := Event{Action: "key.manage", Object: "key:01JD0000000000000000000006", Auth: "password"}
	register(Kind{Code: "KEY.ADDED.OK", Class: Strict, Decided: true, Sample: sample, Commitments: []string{"name"}, Codes: []string{"role"}, Numbers: []string{"days"}})
	register(Kind{Code: "KEY.ADDED.DENIED", Class: Strict, Sample: sample, Commitments: []string{"name"}, Codes: []string{"role"}})
	register(Kind{Code: "KEY.DISABLED.OK", Class: Strict, Decided: true, Sample: sample})
	register(Kind{Code: "KEY.DISABLED.DENIED", Class: Strict, Sample: sample})
	register(Kind{Code: "KEY.READ.DENIED", Class: Strict, Sample: sample})
}
