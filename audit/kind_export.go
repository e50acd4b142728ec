package audit

func init() {
	sample := Event{Action: "export", Object: "export:01JD0000000000000000000004", Auth: "password", Codes: map[string]string{"format": "pack"}}
	register(Kind{Code: "EXPORT.MADE.OK", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"filter"}, Codes: []string{"format"}, Numbers: []string{"events", "first", "last", "size", "bytes"}})
	register(Kind{Code: "EXPORT.MADE.DENIED", Class: Strict, Sample: sample, Commitments: []string{"filter"}, Codes: []string{"format"}})
	register(Kind{Code: "EXPORT.MADE.FAILED", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"filter"}, Codes: []string{"format"}, Numbers: []string{"events"}})
	register(Kind{Code: "EXPORT.READ.OK", Class: Strict, Decided: true, Sample: sample, Codes: []string{"format"}})
	register(Kind{Code: "EXPORT.READ.DENIED", Class: Strict, Sample: sample, Codes: []string{"format"}})
}
