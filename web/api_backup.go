package web

import (
	"net/http"

	"vitrine/policy"
	"vitrine/web/app"
)

func init() {
	api(http.MethodPost, "/api/v1/backups", policy.KeyManage, Doc{
		Summary: "A backup of the database as it is now, checked; the keys are backed up at the machine itself", Body: app.BackupRequest{},
		Media: "application/zip", Extra: []int{http.StatusInsufficientStorage, http.StatusConflict},
	}, backupMake)
}

// backupSum is the header with the SHA-256 of the whole file, hex.
const backupSum = "Vitrine-Sha256"

func backupMake(c *Context) error {
	var b app.BackupRequest
	if err := c.Decode(&b); err != nil {
		return err
	}
	b.RequestID = c.RequestID
	f, err := c.App.Backup(c.Ctx(), c.Caller, b)
	if err != nil {
		return err
	}
	defer f.Close()
	h := c.Response().Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	h.Set("Cache-Control", "private, no-store")
	h.Set(backupSum, f.SHA256)
	http.ServeContent(c.Response(), c.Request(), "", f.Created, f)
	return nil
}
