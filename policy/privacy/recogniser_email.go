package privacy

// E-mail addresses: a dot-atom of RFC 5322 and a domain with a top level of
// letters. Quoted local parts are not covered.
func init() {
	register(Recogniser{
		ID: "email", Label: "EMAIL", window: aroundAt, attached: true,
		patterns: []pattern{spelled(0.95,
			`[\p{Latin}\p{Cyrillic}\p{Greek}\d!#$%&'*+/=?^_{|}~-]+(?:\.[\p{Latin}\p{Cyrillic}\p{Greek}\d!#$%&'*+/=?^_{|}~-]+)*`+
				`@(?:[\p{Latin}\p{Cyrillic}\p{Greek}\d][\p{Latin}\p{Cyrillic}\p{Greek}\d-]{0,62}\.)+(?:xn--[a-zA-Z0-9-]{2,59}|\p{Latin}{2,24}|\p{Cyrillic}{2,24})`)},
		Positive: []string{
			"Write to anna.novak@example.com today.", "a@b.co", "first+tag@sub.example.co.uk", "邮箱：li.wei＠example.cn",
			"<x_y-z@example.org>", "MAIL ME: JOHN@EXAMPLE.COM!", "müller@bücher.example", "an\u200bna@example.com",
		},
		Negative: []string{"@mention only", "price @ 5.00", "a@b", "user@localhost", "x@.com", "e-mail without address", "me@1.2"},
	})
}
