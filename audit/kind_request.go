package audit

func init() {
	register(Kind{Code: "PAGE.VIEWED.OK", Class: BestEffort, Sample: Event{Object: "page:predictions", Auth: "password"}})
	// A refusal of any action that has no kind of its own.
	register(Kind{Code: "ACTION.REFUSED.DENIED", Class: Strict, Sample: Event{Action: "job.manage", Object: "job:01JD0000000000000000000008", Auth: "password"},
		Commitments: []string{"input"}})
}
