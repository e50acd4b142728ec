package privacy

import "strings"

// Identifiers of Germany, Spain, Italy, Poland and Sweden.
func init() {
	register(Recogniser{
		ID: "de-tax-id", Label: "TAX-ID", window: aroundDigits, least: 11,
		context:  []string{"steuer-id", "steueridentifikationsnummer", "steuer", "tax id", "idnr"},
		patterns: []pattern{spelled(0.3, `[1-9]\d(?: ?\d{3}){3}`)},
		check:    checkGermanTax,
		Positive: []string{"Steuer-ID 86 095 742 719", "tax id 47036892816"},
		Negative: []string{"Steuer-ID 86 095 742 718", "order 86095742719", "tax id 11111111111"},
	})
	register(Recogniser{
		ID: "es-nif", Label: "NIF", window: aroundDigits, least: 7,
		context:  []string{"nif", "nie", "dni"},
		patterns: []pattern{spelled(0.6, `(?:\d{8}|[XYZ]\d{7})-?[A-Z]`)},
		check: func(m string) bool {
			s := compact(m)
			n := strings.NewReplacer("X", "0", "Y", "1", "Z", "2").Replace(s[:1]) + s[1:len(s)-1]
			return "TRWAGMYFPDXBNJZSQVHLCKE"[number(digits(n))%23] == s[len(s)-1]
		},
		Positive: []string{"DNI 12345678Z", "X1234567L"},
		Negative: []string{"12345678A", "X1234567A", "12345678"},
	})
	register(Recogniser{
		ID: "it-fiscal-code", Label: "CF", window: aroundDigits, least: 7,
		context:  []string{"codice fiscale"},
		patterns: []pattern{spelled(0.8, `[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]`)},
		check:    checkFiscalCode,
		Positive: []string{"codice fiscale RSSMRA85T10A562S", "BNCLRA85T50A562B"},
		Negative: []string{"RSSMRA85T10A562T", "RSSMRA85X10A562S"},
	})
	register(Recogniser{
		ID: "pl-pesel", Label: "PESEL", window: aroundDigits, least: 11,
		context:  []string{"pesel"},
		patterns: []pattern{spelled(0.5, `\d{11}`)},
		check: func(m string) bool {
			d := digits(m)
			month := number(d[2:4])
			century := []int{1900, 2000, 2100, 2200, 1800}[month/20]
			sum := weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
			return date(century+number(d[:2]), month%20, number(d[4:6])) && (10-sum%10)%10 == d[10]
		},
		Positive: []string{"PESEL 44051401359", "02070803628"},
		Negative: []string{"44051401358", "44133201359", "99999999999"},
	})
	register(Recogniser{
		ID: "se-personnummer", Label: "PNR", window: aroundDigits, least: 10,
		context:  []string{"personnummer", "personal number"},
		patterns: []pattern{spelled(0.7, `(?:19|20)?\d{6}[-+]\d{4}`), spelled(0.3, `(?:19|20)\d{10}`)},
		check: func(m string) bool {
			d := digits(m)
			d = d[len(d)-10:]
			return date(2000, number(d[2:4]), number(d[4:6])) && luhn(d) && varied(d)
		},
		Positive: []string{"personnummer 811228-9874", "19811228-9874", "personnummer 198112289874"},
		Negative: []string{"811228-9873", "811328-9874", "order 198112289874"},
	})
}

// checkGermanTax: exactly one digit of the first ten comes two or three times,
// and the last digit follows ISO 7064 MOD 11,10.
func checkGermanTax(m string) bool {
	d := digits(m)
	var count [10]int
	for _, v := range d[:10] {
		count[v]++
	}
	twice := 0
	for _, c := range count {
		if c > 3 {
			return false
		}
		if c > 1 {
			twice++
		}
	}
	product := 10
	for _, v := range d[:10] {
		sum := (v + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	return twice == 1 && (11-product)%10 == d[10]
}

// checkFiscalCode: the 16th letter is the sum of the others' values modulo 26,
// with a table of its own for odd places.
func checkFiscalCode(m string) bool {
	odd := [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i := range 15 {
		v := int(m[i] - 'A')
		if m[i] <= '9' {
			v = int(m[i] - '0')
		}
		if i%2 == 0 {
			v = odd[v]
		}
		sum += v
	}
	return byte('A'+sum%26) == m[15]
}
