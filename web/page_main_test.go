package web

import (
	"os"
	"testing"
)

// stop ends what shared started; testDir is removed afterwards.
var (
	stop    = func() {}
	testDir string
)

func tempDir() (string, error) {
	var err error
	testDir, err = os.MkdirTemp("", "vitrine-web-")
	return testDir, err
}

func TestMain(m *testing.M) {
	code := m.Run()
	stop()
	if testDir != "" {
		if err := os.RemoveAll(testDir); err != nil && code == 0 {
			code = 1
		}
	}
	os.Exit(code)
}
