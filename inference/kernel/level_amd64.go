//go:build amd64 && !noasm

package kernel

var tables = []*table{genericTable()}
