package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

// CheckpointList is one part of the log's checkpoints.
type CheckpointList struct {
	Items []app.CheckpointView `json:"items"`
	Next  string               `json:"next,omitempty"`
}

func init() {
	size := obj{"type": "integer", "minimum": 0, "maximum": 1<<53 - 1}
	api(http.MethodGet, "/api/v1/audit/checkpoints", policy.AuditRead, Doc{Summary: "The log's signed checkpoints, newest first", Reply: CheckpointList{}, Query: pageArgs("index")}, checkpointList)
	api(http.MethodGet, "/api/v1/audit/consistency", policy.AuditRead, Doc{Summary: "Proof that one tree of the log is a prefix of another", Reply: app.ConsistencyView{},
		Query: []Arg{{Name: "from", Summary: "entries of the older tree", Schema: size}, {Name: "to", Summary: "entries of the newer tree; the present one where absent", Schema: size}}}, consistencyGet)
	api(http.MethodPost, "/api/v1/audit/key", policy.KeyManage, Doc{Summary: "Rotate the log's key: a new one signs from now on, and the old one says so", Reply: app.LogKeyView{}, Status: http.StatusCreated}, logRotate)
}

func checkpointList(c *Context) error {
	q := query{c: c}
	p := q.page()
	if q.err == nil && !compiled(schemaPatterns["index"]).MatchString(p.Before) {
		q.err = invalid("the query parameter before is not a cursor of this list", "use the cursor that the part before ended with")
	}
	if q.err != nil {
		return q.err
	}
	items, next, err := c.App.Checkpoints(c.Ctx(), c.Caller, p)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, CheckpointList{Items: items, Next: next})
}

func consistencyGet(c *Context) error {
	q := query{c: c}
	from, to := q.integer("from", 0, 1<<53-1), q.integer("to", 0, 1<<53-1)
	if q.err != nil {
		return q.err
	}
	if from == nil {
		from = new(int64)
	}
	v, err := c.App.Consistency(c.Ctx(), c.Caller, *from, to)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func logRotate(c *Context) error {
	v, err := c.App.RotateLogKey(c.Ctx(), c.Caller, c.RequestID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}
