// Package dbtest has the tests of the storage packages run on SQLite, or on a PostgreSQL
// server where the variable VITRINE_TEST_POSTGRES names one whose databases they may
// create and drop.
package dbtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Variable names the server: postgres://user@host:port/postgres.
const Variable = "VITRINE_TEST_POSTGRES"

// Address is what db.OpenURL is to open for a folder: "" without a server, else the
// address of a database of the folder's own, made on first use and dropped when the test
// ends.
func Address(t testing.TB, dir string) string {
	t.Helper()
	address := Of(dir)
	if address == "" {
		return ""
	}
	name := pgx.Identifier{nameOf(dir)}.Sanitize()
	var known bool
	admin(t, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", nameOf(dir)).Scan(&known)
	})
	if known {
		return address
	}
	admin(t, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CREATE DATABASE "+name)
		return err
	})
	t.Cleanup(func() {
		admin(t, func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
			return err
		})
	})
	return address
}

// Of is the address that Address gave for a folder, for a process that a test starts.
func Of(dir string) string {
	u, err := url.Parse(os.Getenv(Variable))
	if err != nil || u.Host == "" {
		return ""
	}
	u.Path = "/" + nameOf(dir)
	return u.String()
}

// Postgres says whether the tests run on PostgreSQL.
func Postgres() bool { return Of("") != "" }

func nameOf(dir string) string {
	return fmt.Sprintf("vitrine_test_%x", sha256.Sum256([]byte(dir)))[:40]
}

func admin(t testing.TB, fn func(ctx context.Context, c *pgx.Conn) error) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, os.Getenv(Variable))
	if err != nil {
		t.Fatalf("the server of %s: %v", Variable, err)
	}
	defer c.Close(ctx)
	if err := fn(ctx, c); err != nil {
		t.Fatal(err)
	}
}
