package audit

func init() {
	sample := Event{Action: "model.add", Object: "model:sentiment-minilm", Auth: "local-file",
		Model: &Model{ID: "sentiment-minilm", Version: "1.0.0"}}
	// Models that ship with the program are added by the program, so no decision
	// is required.
	register(Kind{Code: "MODEL.ADDED.OK", Class: Strict, Sample: sample,
		Commitments: []string{"name", "file"}, Codes: []string{"task", "family", "source"}, Numbers: []string{"files", "parameters"}})
	register(Kind{Code: "MODEL.ADDED.DENIED", Class: Strict, Sample: sample, Commitments: []string{"name", "file"}})
	register(Kind{Code: "MODEL.ADDED.FAILED", Class: Strict, Decided: true, Sample: sample, Commitments: []string{"name", "file"}})
	register(Kind{Code: "MODEL.READ.DENIED", Class: Strict, Sample: Event{Action: "model.read", Object: "model:sentiment-minilm", Auth: "password"}})
}
