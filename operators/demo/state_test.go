package demo

import (
	"os"
	"path/filepath"
	"testing"
)

func TestForgetStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside.wav")
	inside := filepath.Join(dir, "demo", "a_1.wav")
	for _, f := range []string{outside, inside} {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines := `{"file":"../outside.wav"}` + "\n" + `{"file":"` + outside + `"}` + "\nnot JSON\n" + `{"file":"a_1.wav"}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "demo", ClipsFile), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := forget(filepath.Join(dir, "demo")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error("it removed a file outside of the folder")
	}
	if _, err := os.Stat(inside); err == nil {
		t.Error("it left an old clip")
	}
}

// TestClaim finds a folder in each state that an earlier run can leave it in.
func TestClaim(t *testing.T) {
	for name, c := range map[string]struct {
		state *state // nil: the folder has none
		bus   bool
		want  claimed
		fails bool
	}{
		"no folder":            {nil, false, claimNew, false},
		"a bus of others":      {nil, true, claimNew, true},
		"interrupted":          {&state{Fingerprint: "a"}, true, claimResumed, false},
		"interrupted, no bus":  {&state{Fingerprint: "a"}, false, claimReplaced, false},
		"finished":             {&state{Fingerprint: "a", Finished: true}, true, claimReplaced, false},
		"of another demo":      {&state{Fingerprint: "b"}, true, claimReplaced, false},
		"finished, of another": {&state{Fingerprint: "b", Finished: true}, true, claimReplaced, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "demo")
			bus := filepath.Join(dir, BusDir)
			if c.bus {
				if err := os.MkdirAll(bus, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if c.state != nil {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := writeState(dir, *c.state); err != nil {
					t.Fatal(err)
				}
			}
			got, err := claim(dir, "a", "command")
			if got != c.want || (err != nil) != c.fails {
				t.Fatalf("claim = %d, %v; want %d, an error %t", got, err, c.want, c.fails)
			}
			if _, err := os.Stat(bus); (err == nil) != (c.want == claimResumed || c.fails) {
				t.Errorf("the bus is there: %t", err == nil)
			}
		})
	}
}
