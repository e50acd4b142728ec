package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"vitrine/policy"
)

// TestOfficialClients runs the official clients of both protocols, unchanged, against this
// server. VITRINE_CLIENTS names a folder with a Python environment (bin/python with openai,
// langchain-openai and huggingface_hub) and node_modules (openai and
// @huggingface/inference); .ci/run makes it.
func TestOfficialClients(t *testing.T) {
	dir := os.Getenv("VITRINE_CLIENTS")
	if dir == "" {
		t.Skip("THE OFFICIAL CLIENTS WERE NOT RUN: set VITRINE_CLIENTS to the folder that .ci/run makes; what they send is replayed by the other tests")
	}
	w := startWriter(t)
	env := append(os.Environ(), "VITRINE_URL="+w.url, "VITRINE_KEY="+w.key, "VITRINE_STORY="+storyTold, "VITRINE_EMBEDDER=embedder", "VITRINE_AUDITOR="+w.addKey(t, policy.Auditor), "HF_HUB_DISABLE_TELEMETRY=1")
	node := filepath.Join(dir, "clients.mjs") // Node looks for packages beside the script
	raw, err := os.ReadFile("webtest/clients/clients.mjs")
	if err == nil {
		err = os.WriteFile(node, raw, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{filepath.Join(dir, "bin", "python"), "webtest/clients/clients.py"}, {"node", node}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		} else {
			t.Logf("%s", out)
		}
	}
}
