package privacy

import "strconv"

// Dates of birth: a date of the calendar right after a word such as "born".
func init() {
	register(Recogniser{
		ID: "date-of-birth", Label: "BIRTH", window: aroundDigits, least: 6,
		context: []string{"born", "birth", "birthday", "dob", "geboren", "geb.", "née", "né le", "nacido", "出生", "生日", "生于"},
		patterns: []pattern{
			spelled(0.2, `(?:19|20)\d{2}[./-]\d{1,2}[./-]\d{1,2}`),
			spelled(0.2, `\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d{2}`),
		},
		check:    checkBirth,
		Positive: []string{"born 1985-03-17 in Leeds", "DOB: 17/03/1985", "geboren am 17.03.1985", "出生1985-03-17", "date of birth 3/17/1985"},
		Negative: []string{"on 1985-03-17 it rained", "born 1985-13-47", "born 99 times", "meeting 17/03/2026"},
	})
}

// checkBirth accepts day-month and month-day order: both are in use.
func checkBirth(m string) bool {
	var v []int
	for i := 0; i < len(m); {
		j := i
		for j < len(m) && isDigit(m[j]) {
			j++
		}
		n, _ := strconv.Atoi(m[i:j])
		v = append(v, n)
		i = j + 1
	}
	if len(v) != 3 {
		return false
	}
	if v[0] > 31 {
		return date(v[0], v[1], v[2])
	}
	return date(v[2], v[1], v[0]) || date(v[2], v[0], v[1])
}
