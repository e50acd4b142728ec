package app

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vitrine/web/db/dbtest"
)

// crashFolder makes the test binary a process to be killed: it predicts without end on
// the folder named by it and prints every acknowledged prediction.
const crashFolder = "VITRINE_TEST_CRASH_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashFolder); dir != "" {
		predictForever(dir)
	}
	os.Exit(m.Run())
}

func predictForever(dir string) {
	ctx := context.Background()
	a, err := New(ctx, Config{Data: dir, Database: dbtest.Of(dir)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	acknowledged := make(chan string)
	for range 8 {
		go func() {
			for {
				v, err := a.Predict(ctx, a.Local(), PredictRequest{Model: textModel, Text: text("Good.")})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				acknowledged <- v.ID
			}
		}()
	}
	for id := range acknowledged {
		fmt.Println(id)
	}
}

// TestKilledUnderLoad: a process killed in the middle of its work leaves a log that
// verifies and holds every prediction that it acknowledged.
func TestKilledUnderLoad(t *testing.T) {
	dir := t.TempDir()
	dbtest.Address(t, dir)
	var acknowledged []string
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashFolder+"="+dir)
		var problems strings.Builder
		cmd.Stderr = &problems
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged = append(acknowledged, lines.Text())
			if n == 20+13*round {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		if problems.Len() > 0 {
			t.Fatal(problems.String())
		}
	}
	a := openApp(t, dir, true)
	h, err := a.VerifyLog(context.Background(), a.Local())
	if err != nil || !h.OK {
		t.Fatalf("%+v %v", h, err)
	}
	logged := map[string]bool{}
	for _, e := range events(t, a) {
		logged[strings.TrimPrefix(e.Object, "prediction:")] = true
	}
	for _, id := range acknowledged {
		if !logged[id] {
			t.Errorf("prediction %s was acknowledged and is not in the log", id)
		}
		if _, err := a.Prediction(context.Background(), a.Local(), id); err != nil {
			t.Errorf("prediction %s: %v", id, err)
		}
	}
	if len(acknowledged) < 60 {
		t.Errorf("only %d predictions were acknowledged", len(acknowledged))
	}
}
