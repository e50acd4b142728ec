package audit

func init() {
	// The digest is that of the report's content, the same in every language and form.
	const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	sample := Event{Action: "prediction.read", Object: "prediction:01JD0000000000000000000001", Auth: "password"}
	made := sample
	made.Digest = digest
	register(Kind{Code: "REPORT.MADE.OK", Class: Strict, Decided: true, Sample: made, Codes: []string{"report", "depth"}})
	register(Kind{Code: "REPORT.MADE.DENIED", Class: Strict, Sample: sample, Codes: []string{"report"}})
}
