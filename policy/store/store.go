// Package store keeps policies, users, sessions, API keys and subject keys in
// the database.
package store
