package audit

func init() {
	sample := Event{Action: "predict", Object: "prediction:01JD0000000000000000000001", Auth: "api-key", Purpose: "unspecified",
		Model: &Model{ID: "sentiment-minilm", Version: "1.0.0"}, DataClasses: []string{"text"}}
	numbers := []string{"windows", "masked", "tokens"}
	register(Kind{Code: "PREDICTION.MADE.OK", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"input", "output", "subject"}, Codes: []string{"task", "modality", "parent", "finish"}, Numbers: append([]string{"generated"}, numbers...)})
	register(Kind{Code: "PREDICTION.MADE.DENIED", Class: Strict, Sample: sample,
		Commitments: []string{"input", "subject"}, Codes: []string{"task", "modality"}, Numbers: numbers})
	register(Kind{Code: "PREDICTION.MADE.FAILED", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"input", "subject"}, Codes: []string{"task", "modality", "stage"}, Numbers: numbers})

	read := Event{Action: "prediction.read", Object: "prediction:01JD0000000000000000000001", Auth: "password"}
	register(Kind{Code: "PREDICTION.READ.OK", Class: BestEffort, Decided: true, Sample: read})
	register(Kind{Code: "PREDICTION.READ.DENIED", Class: Strict, Sample: read})

	reveal := Event{Action: "prediction.reveal", Object: "prediction:01JD0000000000000000000001", Auth: "password"}
	register(Kind{Code: "PREDICTION.REVEALED.OK", Class: Strict, Decided: true, Sample: reveal, Commitments: []string{"input", "reason"}})
	register(Kind{Code: "PREDICTION.REVEALED.DENIED", Class: Strict, Sample: reveal, Commitments: []string{"reason"}})
}
