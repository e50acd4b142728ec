package privacy

// Payment card numbers: 13 to 19 digits with a known first digit and the Luhn
// check of ISO/IEC 7812-1, in groups or not, also broken over a line.
func init() {
	register(Recogniser{
		ID: "credit-card", Label: "CARD", window: aroundDigits, least: 13, attached: true,
		context:  []string{"card", "visa", "mastercard", "amex", "credit", "debit", "卡号", "信用卡", "银行卡"},
		patterns: []pattern{spelled(0.9, `[2-6]\d{3}(?:[ \n-]?\d){9,15}`), spelled(0.9, `[2-6]\d{3}(?:[ \n-]?\d){12}`)},
		check: func(m string) bool {
			d := digits(m)
			return luhn(d) && varied(d)
		},
		Positive: []string{
			"card 4111 1111 1111 1111 expires soon", "4111111111111111", "5555-5555-5555-4444", "378282246310005",
			"6011 1111 1111 1117", "pay 3530111333300000.", "４１１１１１１１１１１１１１１１", "4111 1111\n1111 1111", "卡号6222021234567890128",
		},
		Negative: []string{"4111 1111 1111 1112", "0000 0000 0000 0000", "order 1234567890123", "3.14159265358979", "2026-11-24 10:00:00", "4444444444444444444"},
	})
}
