package privacy

// digits returns the decimal digits of s as numbers.
func digits(s string) []int {
	var out []int
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			out = append(out, int(s[i]-'0'))
		}
	}
	return out
}

// compact drops everything but letters and digits, upper-cased.
func compact(s string) string {
	var b []byte
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if isWord(c) {
			b = append(b, c)
		}
	}
	return string(b)
}

// luhn is the check of ISO/IEC 7812-1.
func luhn(d []int) bool {
	sum := 0
	for i := range d {
		v := d[len(d)-1-i]
		if i%2 == 1 {
			v *= 2
			if v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return len(d) > 1 && sum%10 == 0
}

// weighted is the sum of digits times weights, over the weights' length.
func weighted(d []int, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += d[i] * w
	}
	return sum
}

// varied reports whether the digits are not all the same.
func varied(d []int) bool {
	for _, v := range d {
		if v != d[0] {
			return true
		}
	}
	return false
}

// date reports whether year, month, day is one of the calendar.
func date(year, month, day int) bool {
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	last := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		last = 29
	}
	return day <= last
}

// number reads digits as one number.
func number(d []int) int {
	n := 0
	for _, v := range d {
		n = n*10 + v
	}
	return n
}
