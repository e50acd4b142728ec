package web

import (
	"net/http"
	"net/url"
	"regexp"

	"vitrine/views"
)

func init() { page(http.MethodGet, "/print.css", Public, printSheet) }

var (
	printID   = regexp.MustCompile(`^[0-9A-Z]{26}$`)
	printHash = regexp.MustCompile(`^[0-9a-f]{0,64}$`)
	printTime = regexp.MustCompile(`^[0-9TZ: -]{0,20}$`)
	printHost = regexp.MustCompile(`^[0-9A-Za-z.:\[\]-]{1,255}$`)
)

// printSheet is the footer of a printed prediction: its address, record hash and
// time on every page. All of it is in the address and of closed shape, so that
// nothing can be smuggled into the style sheet.
func printSheet(c *Context) error {
	id, hash, at, host := c.QueryParam("id"), c.QueryParam("hash"), c.QueryParam("at"), c.Request().Host
	if !printID.MatchString(id) || !printHash.MatchString(hash) || !printTime.MatchString(at) || !printHost.MatchString(host) {
		return errNoRoute
	}
	footer := host + "/predictions/" + id
	if hash != "" {
		footer += `\A record ` + hash
	}
	footer += `\A ` + at
	css := `@page { @bottom-left { content: "` + footer + `"; white-space: pre; font: 6.5pt/9pt sans-serif; color: #555; } }` + "\n"
	c.Response().Header().Set("Cache-Control", "private, max-age=3600")
	return c.Blob(http.StatusOK, "text/css; charset=utf-8", []byte(css))
}

func printAddr(m *views.Prediction) string {
	q := url.Values{"id": {m.ID}, "at": {m.Made.UTC().Format("2006-01-02 15:04:05Z")}}
	if m.Why != nil {
		q.Set("hash", m.Why.RecordHash)
	}
	return "/print.css?" + q.Encode()
}
