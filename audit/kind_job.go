package audit

func init() {
	sample := Event{Action: "explain", Object: "job:01JD0000000000000000000005", Auth: "password", Codes: map[string]string{"kind": "explanation"}}
	codes, numbers := []string{"kind", "method", "prediction"}, []string{"done", "total"}
	register(Kind{Code: "JOB.ASKED.OK", Class: Strict, Decided: true, Sample: sample, Codes: codes, Numbers: numbers})
	register(Kind{Code: "JOB.ENDED.OK", Class: Strict, Sample: sample, Codes: codes, Numbers: numbers})
	register(Kind{Code: "JOB.ENDED.FAILED", Class: Strict, Sample: sample, Codes: codes, Numbers: numbers})
	register(Kind{Code: "JOB.READ.DENIED", Class: Strict, Sample: sample, Codes: codes})
	register(Kind{Code: "JOB.CANCELLED.DENIED", Class: Strict, Sample: sample, Codes: codes})
}
