package privacy

import (
	"regexp"
	"strings"
)

// Telephone numbers: international with + or 00, North American, Chinese
// mobile and landline, and national numbers with a leading 0 in groups. Ten or
// eleven bare digits need a word such as "phone" before them.
func init() {
	register(Recogniser{
		ID: "phone", Label: "PHONE", window: aroundDigits, least: 7,
		patterns: []pattern{
			spelled(0.7, `\+[ ]?[1-9](?:[ ./-]{0,2}\(?\d\)?){6,14}`),
			spelled(0.7, `00[1-9](?:[ ./-]?\d){8,12}`),
			spelled(0.7, `(?:1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}`),
			spelled(0.7, `(?:86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}`),
			spelled(0.7, `0\d{2,3}-\d{7,8}`),
			spelled(0.6, `\(?0\d{1,4}\)?(?:[ /-]\d{2,8}){1,4}`),
			spelled(0.3, `\d{7,11}`),
		},
		context: []string{"phone", "tel", "telephone", "mobile", "cell", "call", "fax", "whatsapp", "电话", "手机", "联系"},
		check:   checkPhone,
		Positive: []string{
			"Call +49 30 901820 now", "+1 (415) 555-2671", "+86 138 0013 8000", "00441632960961", "(415) 555-2671", "415-555-2671",
			"手机13800138000", "13800138000", "138-0013-8000", "tel 010-62781234", "020 7946 0958", "030/901820", "１３８００１３８０００", "+442079460958",
			"phone: 4155552671", "my mobile is 07700900123", "电话：62781234",
		},
		Negative: []string{
			"2026-11-24", "12:30 to 13:45", "it costs 1,299.00", "0.123456789", "ISO 9001", "1800-01-01", "room 101", "10000000000",
			"192.168.100.200", "version 1.2.3.4", "01-02-2026", "24/11/2026", "123456789012", "12345678",
			"order 4155552671", "07700900123 pieces", "phone 123", "call me at 12:30",
		},
	})
}

var datePattern = regexp.MustCompile(`^(?:\d{1,2}([/.-])\d{1,2}([/.-])(?:\d{4}|\d{2})|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})$`)

func checkPhone(m string) bool {
	d := digits(m)
	if len(d) < 7 || len(d) > 15 || !varied(d[1:]) || datePattern.MatchString(strings.TrimSpace(m)) {
		return false
	}
	return strings.Count(m, "(") == strings.Count(m, ")")
}
