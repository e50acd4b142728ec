package app

import "context"

// subject returns the opaque id of the person that a caller names, or of a fresh one
// for "", with the key that seals what is kept about them.
func (a *App) subject(ctx context.Context, name string) (id string, key []byte, err error) {
	return "", nil, errEarly
}

// subjectKey returns the key of a known subject: ErrInputNotKept once it was erased.
func (a *App) subjectKey(ctx context.Context, id string) ([]byte, error) { return nil, errEarly }

// place says where sealed bytes belong: they open nowhere else.
type place struct{ subject, record, field string }

func (a *App) seal(key []byte, at place, plain []byte) ([]byte, error)    { return nil, errEarly }
func (a *App) unseal(key []byte, at place, sealed []byte) ([]byte, error) { return nil, errEarly }
