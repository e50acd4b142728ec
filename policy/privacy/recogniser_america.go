package privacy

// Identifiers of the United States and Canada.
func init() {
	register(Recogniser{
		ID: "us-ssn", Label: "SSN", window: aroundDigits, least: 9,
		context:  []string{"ssn", "social security", "social"},
		patterns: []pattern{spelled(0.6, `\d{3}-\d{2}-\d{4}`), spelled(0.2, `\d{3}[ ]?\d{2}[ ]?\d{4}`)},
		check: func(m string) bool {
			d := digits(m)
			area := number(d[:3])
			return area != 0 && area != 666 && area < 900 && number(d[3:5]) != 0 && number(d[5:]) != 0 && varied(d)
		},
		Positive: []string{"SSN 536-22-1234", "social security number 536221234", "078-05-1120"},
		Negative: []string{"000-12-3456", "666-12-3456", "536-00-1234", "part 536221234", "2026-11-2400"},
	})
	register(Recogniser{
		ID: "us-itin", Label: "ITIN", window: aroundDigits, least: 9,
		context:  []string{"itin", "taxpayer"},
		patterns: []pattern{spelled(0.6, `9\d{2}-(?:5\d|6[0-5]|7\d|8[0-8]|9[0-2]|9[4-9])-\d{4}`)},
		Positive: []string{"ITIN 900-70-0001", "912-94-1234"},
		Negative: []string{"900-93-0001", "800-70-0001", "900-70-00012"},
	})
	register(Recogniser{
		ID: "ca-sin", Label: "SIN", window: aroundDigits, least: 9,
		context:  []string{"sin", "social insurance", "nas"},
		patterns: []pattern{spelled(0.55, `[1-79]\d{2}[ -]\d{3}[ -]\d{3}`), spelled(0.2, `[1-79]\d{8}`)},
		check:    func(m string) bool { d := digits(m); return luhn(d) && varied(d) },
		Positive: []string{"SIN 130 692 544", "social insurance number 130692544"},
		Negative: []string{"130 692 545", "order 130692544", "046 454 286"},
	})
}
