package audit

func init() {
	sample := Event{Action: "explain", Object: "explanation:01JD0000000000000000000002", Auth: "api-key", Purpose: "unspecified",
		Model: &Model{ID: "sentiment-minilm", Version: "1.0.0"}}
	codes := []string{"method", "method_version", "level", "prediction"}
	// gate is what was done with an explanation whose figures fell short, gate_reason the first thing that was missed, of
	// gate_reasons; after is the explanation that this one was made in place of.
	made := append([]string{"gate", "gate_reason", "after"}, codes...)
	register(Kind{Code: "EXPLANATION.MADE.OK", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"input", "output", "explanation", "subject"}, Codes: made, Numbers: []string{"gradients", "forwards", "gate_reasons"}})
	register(Kind{Code: "EXPLANATION.MADE.DENIED", Class: Strict, Sample: sample,
		Commitments: []string{"input", "subject"}, Codes: codes})
	register(Kind{Code: "EXPLANATION.MADE.FAILED", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"input", "subject"}, Codes: append([]string{"stage"}, codes...)})
	register(Kind{Code: "EXPLANATION.REPLAYED.OK", Class: Strict, Decided: true, Sample: sample,
		Codes: []string{"method", "method_version", "prediction", "result", "because"}, Numbers: []string{"differences"}})
}
