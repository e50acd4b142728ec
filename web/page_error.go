package web

import "html"

// failPage answers a failure on a page.
func (s *Server) failPage(c *Context, p Problem) error {
	return c.HTML(p.Status, "<!doctype html><title>"+html.EscapeString(p.Title)+"</title><h1>"+html.EscapeString(p.Title)+"</h1><p>"+html.EscapeString(p.Detail)+"</p>")
}
