package web

import (
	"net/http"

	"vitrine/views"
)

func init() {
	page(http.MethodGet, "/help", SignedIn, func(c *Context) error {
		return c.Page(http.StatusOK, views.HelpPage(views.Help{Shell: c.shell("help")}))
	})
}
