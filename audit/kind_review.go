package audit

func init() {
	const prediction = "01JD0000000000000000000001"
	model := &Model{ID: "sentiment-minilm", Version: "1.0.0"}
	// What is sent to a person: by somebody who asked, by a rule, or because an
	// explanation fell short. The decision is the one that let the sender do it.
	asked := Event{Action: "prediction.read", Object: "review:01JD0000000000000000000009", Auth: "password", Model: model}
	register(Kind{Code: "REVIEW.ASKED.OK", Class: Strict, Decided: true, Sample: asked,
		Commitments: []string{"reason"}, Codes: []string{"cause", "prediction", "explanation"}})
	decide := Event{Action: "review.decide", Object: asked.Object, Auth: "password", Model: model}
	register(Kind{Code: "REVIEW.STARTED.OK", Class: Strict, Decided: true, Sample: decide, Codes: []string{"prediction"}})
	decided := decide
	decided.Human = &Human{Reviewer: "user:01JD0000000000000000000000", Outcome: "overridden", OverrideOf: prediction}
	register(Kind{Code: "REVIEW.DECIDED.OK", Class: Strict, Decided: true, Sample: decided,
		Commitments: []string{"reason", "label"}, Codes: []string{"cause", "prediction"}, Numbers: []string{"milliseconds"}})
	refused := Event{Action: "review.decide", Object: "prediction:" + prediction, Auth: "password"}
	register(Kind{Code: "REVIEW.DECIDED.DENIED", Class: Strict, Sample: refused})
	register(Kind{Code: "REVIEW.READ.DENIED", Class: Strict, Sample: refused})

	// The stop button: every version of a model, until it is started again.
	stop := Event{Action: "model.approve", Object: "model:sentiment-minilm", Auth: "password"}
	for _, code := range []string{"MODEL.STOPPED", "MODEL.STARTED"} {
		register(Kind{Code: code + ".OK", Class: Strict, Decided: true, Sample: stop, Commitments: []string{"reason"}})
		register(Kind{Code: code + ".DENIED", Class: Strict, Sample: stop})
	}
}
