// Package app holds the use cases: everything a page, the API, the command line or
// a job can do with a model, a prediction, an explanation, a log entry or a policy.
//
// Every prediction walks one road, in predict.go and explain.go: identify, decide
// (policy), protect (privacy), infer, explain, measure, record (database and audit
// outbox in one transaction), reveal. There is no second road.
//
// Every method takes the caller, asks the policy first, and records what it did; a
// refusal is recorded too and comes back as [*Denied]. The package knows no HTTP.
package app
