package audit

func init() {
	sample := Event{Action: "key.manage", Object: "log:01JD0000000000000000000009", Auth: "local-file"}
	content := []string{"content"} // database or keys
	register(Kind{Code: "BACKUP.MADE.OK", Class: Strict, Decided: true, Sample: sample, Codes: content, Numbers: []string{"size", "bytes"}})
	register(Kind{Code: "BACKUP.MADE.DENIED", Class: Strict, Sample: sample, Codes: content})
	register(Kind{Code: "BACKUP.RESTORED.OK", Class: Strict, Sample: Event{Actor: "system", Object: sample.Object},
		Codes: []string{"cause"}, Numbers: []string{"size", "signed_size"}})
}
