package audit

import "strings"

// The matchers of a leaf's fields. Each is the regular expression beside it, written
// out: a leaf has some twenty fields, and these are most of what reading one costs. A
// test holds every matcher against its expression.

// set is a set of bytes.
type set [256]bool

func bytesOf(ranges string) (s set) {
	for i := 0; i+1 < len(ranges); i += 2 {
		for c := int(ranges[i]); c <= int(ranges[i+1]); c++ {
			s[c] = true
		}
	}
	return s
}

var (
	inULID    = bytesOf("09AHJKMNPTVZ")
	inHex     = bytesOf("09af")
	lower     = bytesOf("az")
	lowerNum  = bytesOf("az09")
	alnum     = bytesOf("azAZ09")
	inSlug    = bytesOf("az09..__--")
	inModel   = bytesOf("azAZ09..__//--")
	inName    = bytesOf("az09__")
	inVersion = bytesOf("azAZ09..++__--")
	inRule    = bytesOf("azAZ09..__::--")
)

// framed says whether s has 1 to most bytes, all in inner, the first and the last in
// outer.
func framed(s string, most int, outer, inner *set) bool {
	return len(s) > 0 && len(s) <= most && outer[s[0]] && outer[s[len(s)-1]] && all(s, inner)
}

func all(s string, in *set) bool {
	for i := 0; i < len(s); i++ {
		if !in[s[i]] {
			return false
		}
	}
	return true
}

// pULID
func isULID(s string) bool { return len(s) == 26 && s[0] >= '0' && s[0] <= '7' && all(s, &inULID) }

// pModel
func isModel(s string) bool { return framed(s, 96, &alnum, &inModel) }

// pSlug
func isCode(s string) bool { return framed(s, 64, &lowerNum, &inSlug) }

// pULID | pSlug
func isSpace(s string) bool { return isULID(s) || isCode(s) }

// [0-9a-f]{64}
func isHex(s string) bool { return len(s) == 64 && all(s, &inHex) }

// [a-z][a-z0-9_]{0,31}
func isName(s string) bool {
	return len(s) > 0 && len(s) <= 32 && lower[s[0]] && all(s, &inName)
}

// [0-9A-Za-z][0-9A-Za-z.+_-]{0,63}
func isVersion(s string) bool {
	return len(s) > 0 && len(s) <= 64 && alnum[s[0]] && all(s, &inVersion)
}

// [A-Za-z0-9][A-Za-z0-9._:-]{0,63}
func isRule(s string) bool {
	return len(s) > 0 && len(s) <= 64 && alnum[s[0]] && all(s, &inRule)
}

// user:ULID | key:ULID | user:local | system | anonymous
func isActor(s string) bool {
	switch s {
	case "user:local", "system", "anonymous":
		return true
	}
	kind, id, ok := strings.Cut(s, ":")
	return ok && (kind == "user" || kind == "key") && isULID(id)
}

// (subject|user|key):ULID
func isSubject(s string) bool {
	kind, id, ok := strings.Cut(s, ":")
	return ok && (kind == "subject" || kind == "user" || kind == "key") && isULID(id)
}

// an actor | role:SLUG
func isAsker(s string) bool {
	role, ok := strings.CutPrefix(s, "role:")
	return ok && isCode(role) || isActor(s)
}

// MODEL | MODEL@SLUG
func isModelRef(s string) bool {
	name, version, ok := strings.Cut(s, "@")
	return isModel(name) && (!ok || isCode(version))
}

// model:MODEL[@SLUG] | KIND:ULID | KIND:SLUG
func isObject(s string) bool {
	kind, id, ok := strings.Cut(s, ":")
	if !ok {
		return false
	}
	switch kind {
	case "model":
		return isModelRef(id)
	case "prediction", "explanation", "user", "key", "session", "policy", "export", "log", "subject", "job", "page", "request", "review", "proposal":
		return isSpace(id)
	}
	return false
}

// [a-z]+(\.[a-z]+)?
func isAction(s string) bool {
	a, b, ok := strings.Cut(s, ".")
	return a != "" && all(a, &lower) && (!ok || b != "" && all(b, &lower))
}

// [a-z]{2,16} | [a-z]{2,16}:* | [a-z]{2,16}:MODEL[@SLUG]
func isAsked(s string) bool {
	kind, id, ok := strings.Cut(s, ":")
	return len(kind) >= 2 && len(kind) <= 16 && all(kind, &lower) && (!ok || id == "*" || isModelRef(id))
}
