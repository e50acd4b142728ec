package template

import (
	"fmt"
	"strings"
	"unicode"
)

// part is a stretch of the source: text, {{ expression }} or {% statement %}.
type part struct {
	kind byte // 't', '{' or '%'
	text string
	line int
}

func syntax(line int, format string, args ...any) error {
	return fmt.Errorf("%w: line %d: %s", ErrSyntax, line, fmt.Sprintf(format, args...))
}

// cut splits a source into parts and applies the rules of white space: a dash takes all of it away, the line break
// behind a statement goes (trim_blocks), so do blanks between the beginning of a line and a statement (lstrip_blocks).
func cut(src string) ([]part, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrSyntax, len(src), maxSource)
	}
	src = strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n")
	src = strings.TrimSuffix(src, "\n")
	var out []part
	line, lineStart := 1, true // lineStart: what comes next begins a line
	for src != "" {
		open := strings.IndexByte(src, '{')
		for open >= 0 && (open+1 >= len(src) || !strings.ContainsRune("{%#", rune(src[open+1]))) {
			next := strings.IndexByte(src[open+1:], '{')
			if next < 0 {
				open = -1
				break
			}
			open += 1 + next
		}
		if open < 0 {
			return append(out, part{'t', src, line}), nil
		}
		text, kind := src[:open], src[open+1]
		src = src[open+2:]
		at := line + strings.Count(text, "\n")
		sign := byte(0)
		if src != "" && (src[0] == '-' || src[0] == '+') {
			sign, src = src[0], src[1:]
		}
		line = at
		text = before(text, kind, sign, lineStart)
		if text != "" {
			out = append(out, part{'t', text, line})
		}
		body, rest, err := inside(src, kind, at)
		if err != nil {
			return nil, err
		}
		line += strings.Count(body, "\n")
		end := byte(0)
		if n := len(body); n > 0 && (body[n-1] == '-' || body[n-1] == '+' && kind != '{') {
			end, body = body[n-1], body[:n-1]
		}
		if kind != '#' {
			out = append(out, part{kind, body, at})
		}
		trimmed := rest
		switch {
		case end == '-':
			trimmed = strings.TrimLeftFunc(rest, unicode.IsSpace)
		case kind != '{' && end != '+':
			trimmed = strings.TrimPrefix(rest, "\n")
		}
		gone := rest[:len(rest)-len(trimmed)]
		line += strings.Count(gone, "\n")
		lineStart = strings.HasSuffix(gone, "\n")
		src = trimmed
	}
	return out, nil
}

// before is the text in front of a tag without what the tag takes away.
func before(text string, kind, sign byte, lineStart bool) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, unicode.IsSpace)
	}
	if sign == '+' || kind == '{' {
		return text
	}
	from := strings.LastIndexByte(text, '\n') + 1
	if (from > 0 || lineStart) && strings.TrimSpace(text[from:]) == "" {
		return text[:from]
	}
	return text
}

// inside finds the end of a tag; quotes and brackets hide it.
func inside(src string, kind byte, line int) (body, rest string, err error) {
	if kind == '#' {
		end := strings.Index(src, "#}")
		if end < 0 {
			return "", "", syntax(line, "a comment does not end")
		}
		return src[:end], src[end+2:], nil
	}
	closing := "%}"
	if kind == '{' {
		closing = "}}"
	}
	var quote byte
	depth := 0
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case depth == 0 && strings.HasPrefix(src[i:], closing):
			return src[:i], src[i+2:], nil
		case c == '{' || c == '[' || c == '(':
			depth++
		case c == '}' || c == ']' || c == ')':
			depth--
		}
	}
	return "", "", syntax(line, "a tag does not end")
}

// token of an expression: a name, a number, a string or an operator.
type token struct {
	kind byte // 'n'ame, 'i'nteger, 'f'loat, 's'tring, 'o'perator, 0 at the end
	text string
}

var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|"}

// tokens splits the inside of a tag.
func tokens(s string, line int) ([]token, error) {
	var out []token
	for s != "" {
		c := s[0]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f':
			s = s[1:]
		case c == '\'' || c == '"':
			text, rest, err := quoted(s, line)
			if err != nil {
				return nil, err
			}
			out, s = append(out, token{'s', text}), rest
		case c >= '0' && c <= '9':
			n := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '_' })
			if n < 0 {
				n = len(s)
			}
			kind := byte('i')
			if m := digits(s, n, "."); m > n {
				n, kind = m, 'f'
			}
			if m := max(digits(s, n, "e"), digits(s, n, "E"), digits(s, n, "e-"), digits(s, n, "e+")); m > n {
				n, kind = m, 'f'
			}
			out, s = append(out, token{kind, strings.ReplaceAll(s[:n], "_", "")}), s[n:]
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := strings.IndexFunc(s, func(r rune) bool {
				return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
			})
			if n < 0 {
				n = len(s)
			}
			out, s = append(out, token{'n', s[:n]}), s[n:]
		default:
			found := false
			for _, op := range operators {
				if found = strings.HasPrefix(s, op); found {
					out, s = append(out, token{'o', op}), s[len(op):]
					break
				}
			}
			if !found {
				return nil, syntax(line, "the character %q does not belong there", []rune(s)[0])
			}
		}
	}
	return out, nil
}

// digits is the end of digits behind sign at place n of s; n where there are none.
func digits(s string, n int, sign string) int {
	if !strings.HasPrefix(s[n:], sign) {
		return n
	}
	end := n + len(sign)
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == n+len(sign) {
		return n
	}
	return end
}

// quoted reads a string with Python's escapes.
func quoted(s string, line int) (text, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == s[0]:
			return b.String(), s[i+1:], nil
		case c == '\\' && i+1 < len(s):
			i++
			simple := strings.IndexByte(`nrtfvab0\'"`, s[i])
			switch {
			case simple >= 0:
				b.WriteByte("\n\r\t\f\v\a\b\x00\\'\""[simple])
			case s[i] == '\n':
			case s[i] == 'u' || s[i] == 'x' || s[i] == 'U':
				digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
				var r rune
				if i+digits >= len(s) {
					return "", "", syntax(line, "a broken escape in a string")
				}
				if _, err := fmt.Sscanf(s[i+1:i+1+digits], "%x", &r); err != nil || r > unicode.MaxRune {
					return "", "", syntax(line, "a broken escape in a string")
				}
				b.WriteRune(r)
				i += digits
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", syntax(line, "a string does not end")
}
