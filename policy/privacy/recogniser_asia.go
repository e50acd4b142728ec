package privacy

// Identifiers of India, Singapore, South Korea and Australia.
func init() {
	register(Recogniser{
		ID: "in-aadhaar", Label: "AADHAAR", window: aroundDigits, least: 12,
		context:  []string{"aadhaar", "aadhar", "uidai"},
		patterns: []pattern{spelled(0.55, `[2-9]\d{3}[ -]\d{4}[ -]\d{4}`), spelled(0.3, `[2-9]\d{11}`)},
		check:    func(m string) bool { d := digits(m); return verhoeff(d) && varied(d) },
		Positive: []string{"Aadhaar 2341 2341 2346", "aadhaar 234123412346"},
		Negative: []string{"2341 2341 2345", "order 234123412346", "1341 2341 2346"},
	})
	register(Recogniser{
		ID: "sg-nric", Label: "NRIC", window: aroundDigits, least: 7,
		context:  []string{"nric", "fin"},
		patterns: []pattern{spelled(0.8, `[STFG]\d{7}[A-Z]`)},
		check: func(m string) bool {
			sum := weighted(digits(m), 2, 7, 6, 5, 4, 3, 2)
			if m[0] == 'T' || m[0] == 'G' {
				sum += 4
			}
			if m[0] == 'S' || m[0] == 'T' {
				return "JZIHGFEDCBA"[sum%11] == m[8]
			}
			return "XWUTRQPNMLK"[sum%11] == m[8]
		},
		Positive: []string{"NRIC S1234567D", "G1234567X"},
		Negative: []string{"S1234567A", "A1234567D", "S123456D"},
	})
	register(Recogniser{
		ID: "kr-rrn", Label: "RRN", window: aroundDigits, least: 13,
		context:  []string{"주민등록번호", "rrn", "resident"},
		patterns: []pattern{spelled(0.7, `\d{6}-[1-8]\d{6}`)},
		check: func(m string) bool {
			d := digits(m)
			check := (11 - weighted(d, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11) % 10
			return date(2000, number(d[2:4]), number(d[4:6])) && check == d[12]
		},
		Positive: []string{"주민등록번호 900101-1234568", "850115-2345677"},
		Negative: []string{"900101-1234567", "901301-1234568", "900101-9234568"},
	})
	register(Recogniser{
		ID: "au-tfn", Label: "TFN", window: aroundDigits, least: 9,
		context:  []string{"tfn", "tax file number"},
		patterns: []pattern{spelled(0.3, `\d{3} ?\d{3} ?\d{3}`)},
		check: func(m string) bool {
			d := digits(m)
			return weighted(d, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0 && varied(d)
		},
		Positive: []string{"TFN 123 456 782", "tax file number 123456782"},
		Negative: []string{"TFN 123 456 789", "order 123456782"},
	})
}

// verhoeff is the check of J. Verhoeff (1969) over the dihedral group D5.
func verhoeff(d []int) bool {
	step := [10]int{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	c := 0
	for i := range d {
		v := d[len(d)-1-i]
		for range i % 8 {
			v = step[v]
		}
		c = dihedral(c, v)
	}
	return c == 0
}

// dihedral multiplies in D5: 0-4 are rotations, 5-9 reflections.
func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-5-b+5)%5
	}
	return (a - b + 5) % 5
}
