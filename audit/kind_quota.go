package audit

func init() {
	sample := Event{Action: "key.manage", Object: "key:01JD0000000000000000000006", Auth: "password"}
	register(Kind{Code: "QUOTA.CHANGED.OK", Class: Strict, Decided: true, Sample: sample, Codes: []string{"kind"}, Numbers: []string{"per_minute", "per_day"}})
	register(Kind{Code: "QUOTA.CHANGED.DENIED", Class: Strict, Sample: sample})
	register(Kind{Code: "QUOTA.READ.DENIED", Class: Strict, Sample: sample})
}
