package privacy

// Identifiers of the United Kingdom.
func init() {
	register(Recogniser{
		ID: "uk-nhs", Label: "NHS", window: aroundDigits, least: 10,
		context:  []string{"nhs", "health number", "patient"},
		patterns: []pattern{spelled(0.55, `\d{3} \d{3} \d{4}`), spelled(0.2, `\d{3}-?\d{3}-?\d{4}`)},
		check: func(m string) bool {
			d := digits(m)
			check := (11 - weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11) % 11
			return check == d[9] && varied(d)
		},
		Positive: []string{"NHS 943 476 5919", "patient 9434765919"},
		Negative: []string{"943 476 5918", "number 9434765919", "000 000 0000"},
	})
	register(Recogniser{
		ID: "uk-nino", Label: "NINO", window: aroundDigits, least: 6,
		context:  []string{"national insurance", "nino"},
		patterns: []pattern{spelled(0.8, `[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]`)},
		check: func(m string) bool {
			switch m[:2] {
			case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
				return false
			}
			return true
		},
		Positive: []string{"AB 12 34 56 C", "JG103759A"},
		Negative: []string{"GB 12 34 56 C", "AB 12 34 56 E", "DA123456A", "QQ 12 34 56 C"},
	})
}
