package audit

func init() {
	sample := Event{Action: "explain", Object: "explanation:01JD0000000000000000000002", Auth: "api-key", Purpose: "unspecified",
		Model: &Model{ID: "sentiment-minilm", Version: "1.0.0"}}
	codes := []string{"method", "method_version", "level", "prediction"}
	register(Kind{Code: "EXPLANATION.MADE.OK", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"input", "output", "explanation", "subject"}, Codes: codes, Numbers: []string{"gradients", "forwards"}})
	register(Kind{Code: "EXPLANATION.MADE.DENIED", Class: Strict, Sample: sample,
		Commitments: []string{"input", "subject"}, Codes: codes})
	register(Kind{Code: "EXPLANATION.MADE.FAILED", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"input", "subject"}, Codes: append([]string{"stage"}, codes...)})
}
