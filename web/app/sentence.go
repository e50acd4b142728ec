package app

import (
	"regexp"
	"strings"

	auditstore "vitrine/audit/store"
	"vitrine/explain"
	"vitrine/inference"
	"vitrine/inference/tokenizer"
	"vitrine/inference/weights"
	"vitrine/policy"
	"vitrine/policy/identity"
)

// sentinels are the words that the packages below put around their sentences.
var sentinels = []error{
	inference.ErrInput, inference.ErrModel, inference.ErrUnsupported,
	weights.ErrFormat, weights.ErrUnsupported, tokenizer.ErrFormat, tokenizer.ErrUnsupported, tokenizer.ErrText,
	explain.ErrUnknownMethod, explain.ErrUnsuitable, explain.ErrParam, explain.ErrTarget,
	policy.ErrRule, identity.ErrPassword, identity.ErrName, auditstore.ErrQuery,
}

var packageName = regexp.MustCompile(`^[a-z]+(/[a-z]+)?: `)

// plain is the sentence in an error, on one line: without the names of the packages that
// it passed through and without their sentinels, since ours stands in front of it.
func plain(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, s := range sentinels {
		word := s.Error()
		text = strings.TrimSuffix(text, ": "+word)
		if at := strings.LastIndex(text, word+": "); at >= 0 {
			text = text[at+len(word)+2:]
		}
	}
	for packageName.MatchString(text) {
		text = text[len(packageName.FindString(text)):]
	}
	return text
}
