package grammar

import (
	"maps"
	"slices"
	"strings"
)

const (
	day = `(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))` +
		`|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)`
	hour  = `(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])`
	byte8 = `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
)

// formats are the formats of texts that are enforced, by patterns of the whole text: RFC
// 3339 with the days that each month has and without leap seconds, RFC 4122, RFC 2673, and
// mail addresses and host names of the common form.
var formats = map[string]string{
	"date": day, "time": hour, "date-time": day + "T" + hour,
	"uuid":     `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
	"ipv4":     byte8 + `(?:\.` + byte8 + `){3}`,
	"hostname": `[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?){0,5}`,
	"email":    `[A-Za-z0-9_+-]{1,24}(?:\.[A-Za-z0-9_+-]{1,24}){0,3}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,12}`,
}

func formatNames() string { return strings.Join(slices.Sorted(maps.Keys(formats)), ", ") }
