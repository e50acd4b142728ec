package web

import "net/http"

// Health is the answer of the probes.
type Health struct {
	Status string `json:"status"`
}

func init() {
	api(http.MethodGet, "/healthz", Public, Doc{Summary: "The process runs", Reply: Health{}}, func(c *Context) error {
		return c.JSON(http.StatusOK, Health{Status: "ok"})
	})
}
