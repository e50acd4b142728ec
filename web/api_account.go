package web

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"vitrine/policy"
	"vitrine/web/app"
)

type userBody struct {
	Name     string   `json:"name" schema:"pattern=name;says=must be 1 to 64 visible characters without : and /"`
	Password string   `json:"password" schema:"minLength=15;maxLength=250"`
	Roles    []string `json:"roles" schema:"minItems=1;maxItems=20;items.list=roles"`
}

type keyBody struct {
	Name    string     `json:"name" schema:"pattern=name;says=must be 1 to 64 visible characters without : and /"`
	Roles   []string   `json:"roles" schema:"minItems=1;maxItems=20;items.list=roles"`
	Expires *time.Time `json:"expires,omitempty"`
}

// UserList is every account.
type UserList struct {
	Items []app.UserView `json:"items"`
}

// KeyList is every API key, without secrets.
type KeyList struct {
	Items []app.KeyView `json:"items"`
}

func init() {
	api(http.MethodGet, "/api/v1/users", policy.UserManage, Doc{Summary: "Every account", Reply: UserList{}}, userList)
	api(http.MethodPost, "/api/v1/users", policy.UserManage, Doc{Summary: "Add an account", Body: userBody{}, Reply: app.UserView{}, Status: http.StatusCreated, Extra: []int{http.StatusConflict}}, userCreate)
	api(http.MethodDelete, "/api/v1/users/:name", policy.UserManage, Doc{Summary: "Disable an account and end its sessions", Status: http.StatusNoContent, Extra: []int{http.StatusConflict}}, userDisable)
	api(http.MethodGet, "/api/v1/keys", policy.KeyManage, Doc{Summary: "Every API key, without secrets", Reply: KeyList{}}, keyList)
	api(http.MethodPost, "/api/v1/keys", policy.KeyManage, Doc{Summary: "Add an API key; the key is shown once", Body: keyBody{}, Reply: app.NewKey{}, Status: http.StatusCreated, Extra: []int{http.StatusConflict}}, keyCreate)
	api(http.MethodDelete, "/api/v1/keys/:id", policy.KeyManage, Doc{Summary: "Disable an API key", Status: http.StatusNoContent}, keyDisable)
}

func userList(c *Context) error {
	v, err := c.App.Users(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, UserList{Items: v})
}

func userCreate(c *Context) error {
	var b userBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	v, err := c.App.AddUser(c.Ctx(), c.Caller, b.Name, b.Password, b.Roles)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}

func userDisable(c *Context) error {
	if err := c.App.DisableUser(c.Ctx(), c.Caller, c.param("name")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func keyList(c *Context) error {
	v, err := c.App.Keys(c.Ctx(), c.Caller)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, KeyList{Items: v})
}

func keyCreate(c *Context) error {
	var b keyBody
	if err := c.Decode(&b); err != nil {
		return err
	}
	var expires time.Time
	if b.Expires != nil {
		expires = b.Expires.UTC()
	}
	v, err := c.App.AddKey(c.Ctx(), c.Caller, b.Name, b.Roles, expires)
	if errors.Is(err, app.ErrInput) && b.Expires != nil && !expires.After(time.Now()) {
		return &hintedError{fmt.Errorf("%w: the key would be expired already", app.ErrUnchanged), "give a later time"}
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, v)
}

func keyDisable(c *Context) error {
	if err := c.App.DisableKey(c.Ctx(), c.Caller, c.param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
