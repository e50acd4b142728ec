package privacy

// IBAN, ISO 13616: two letters, two check digits, up to 30 letters and digits;
// the rearranged number is 1 modulo 97.
func init() {
	register(Recogniser{
		ID: "iban", Label: "IBAN", window: aroundDigits, least: 10,
		context:  []string{"iban", "account", "konto", "账户"},
		patterns: []pattern{spelled(0.95, `[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?`)},
		check:    checkIBAN,
		Positive: []string{
			"IBAN DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606", "NL91 ABNA 0417 1643 00", "CH93 0076 2011 6238 5295 7",
		},
		Negative: []string{"DE88 3704 0044 0532 0130 00", "AB12 3456 7890 1234", "GB82WEST12345698765433", "ISO 9001 2015 0000"},
	})
}

// ibanLength holds the fixed length of each country that is checked strictly.
var ibanLength = map[string]int{
	"AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "BR": 29, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
	"ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "LI": 21,
	"LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SA": 24, "SE": 24,
	"SI": 19, "SK": 24, "SM": 27, "TR": 26, "UA": 29,
}

func checkIBAN(m string) bool {
	s := compact(m)
	if want, known := ibanLength[s[:2]]; len(s) < 15 || len(s) > 34 || known && len(s) != want {
		return false
	}
	rest := 0
	for _, c := range s[4:] + s[:4] {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}
