package privacy

// Chinese resident identity number, GB 11643-1999: region, date of birth,
// sequence, and a check character by ISO 7064 MOD 11-2.
func init() {
	register(Recogniser{
		ID: "cn-resident-id", Label: "ID", window: aroundDigits, least: 17,
		context:  []string{"身份证", "id"},
		patterns: []pattern{spelled(0.95, `[1-9]\d{5}(?:18|19|20)\d{9}[\dXx]`)},
		check: func(m string) bool {
			d := digits(m[:17])
			if !date(number(d[6:10]), number(d[10:12]), number(d[12:14])) {
				return false
			}
			sum := weighted(d, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
			last := m[17] &^ 0x20
			if m[17] >= '0' && m[17] <= '9' {
				last = m[17]
			}
			return "10X98765432"[sum%11] == last
		},
		Positive: []string{"身份证号11010519491231002X", "440524188001010014", "１１０１０５１９４９１２３１００２Ｘ"},
		Negative: []string{"110105194912310021", "11010519491331002X", "123456789012345678"},
	})
}
