package audit

func init() {
	sample := Event{Action: "policy.edit", Object: "policy:7", Auth: "password"}
	register(Kind{Code: "POLICY.CHANGED.OK", Class: Strict, Decided: true, Sample: sample,
		Commitments: []string{"reason"}, Codes: []string{"hash_before", "hash_after", "rule"},
		Numbers: []string{"version_before", "version_after", "rules_added", "rules_removed", "rules_changed"}})
	register(Kind{Code: "POLICY.CHANGED.DENIED", Class: Strict, Sample: sample, Commitments: []string{"reason"}})
	register(Kind{Code: "POLICY.READ.DENIED", Class: Strict, Sample: Event{Action: "policy.read", Object: "policy:7", Auth: "password"}})
	// The first version of a policy, written by the program when it first starts.
	register(Kind{Code: "POLICY.CREATED.OK", Class: Strict, Sample: Event{Actor: "system", Object: "policy:1"},
		Codes: []string{"hash_after"}, Numbers: []string{"version_after", "rules_added"}})
	// A change that waits for a second person, and what became of it.
	for code, action := range map[string]string{"POLICY.PROPOSED.OK": "policy.edit", "POLICY.WITHDRAWN.OK": "policy.edit", "POLICY.APPROVED.OK": "policy.approve", "POLICY.REJECTED.OK": "policy.approve"} {
		register(Kind{Code: code, Class: Strict, Decided: true, Sample: Event{Action: action, Object: "policy:7", Auth: "password"},
			Commitments: []string{"reason"}, Codes: []string{"hash_after", "proposal"}, Numbers: []string{"version_before"}})
	}
	register(Kind{Code: "POLICY.APPROVED.DENIED", Class: Strict, Sample: Event{Action: "policy.approve", Object: "policy:7", Auth: "password"}, Codes: []string{"proposal"}})
	// An approved change that could not come into force at its time.
	register(Kind{Code: "POLICY.LAPSED.OK", Class: Strict, Sample: Event{Actor: "system", Object: "policy:7"}, Codes: []string{"hash_after", "proposal"}})
}
