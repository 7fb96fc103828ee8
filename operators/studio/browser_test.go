package studio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/internal/oracle"
)

// The page is driven in Debian's chromium by testdata/browser.mjs, against the binary: what a person does, and what it must
// show. Screenshots go to the folder in WAVEMILL_SCREENSHOTS, where it is set; WAVEMILL_STUDIO_BUDGET is the budget of the
// training, a duration.
const (
	screenshotsVariable = "WAVEMILL_SCREENSHOTS"
	budgetVariable      = "WAVEMILL_STUDIO_BUDGET"
	usualBudget         = 25 * time.Second
	browserTime         = 8 * time.Minute // far more than it takes: it ends a test that hangs
)

// given is what browser.mjs is told.
type given struct {
	URL         string   `json:"url"`
	Modules     string   `json:"modules"`
	Chromium    string   `json:"chromium"`
	Labels      []string `json:"labels"`
	Sound       string   `json:"sound"`
	Folder      string   `json:"folder"`
	Minutes     float64  `json:"minutes"`
	Views       []string `json:"views"`
	FirstSound  int      `json:"firstSound"` // ms
	Screenshots string   `json:"screenshots"`
	Steps       []string `json:"steps"`
}

// programs finds what the test needs beside Go.
func programs(t *testing.T) (node, chromium, modules string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it trains a model and drives a browser")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		oracle.Missing(t, "node is missing; install nodejs")
	}
	if chromium, err = exec.LookPath("chromium"); err != nil {
		oracle.Missing(t, "chromium is missing; install Debian's package of that name")
	}
	home, _ := os.UserHomeDir()
	for _, dir := range append(filepath.SplitList(os.Getenv("NODE_PATH")), filepath.Join(home, ".cache/wavemill/node/node_modules")) {
		if _, err := os.Stat(filepath.Join(dir, "playwright-core")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "axe-core")); err == nil {
			return node, chromium, dir
		}
	}
	oracle.Missing(t, "playwright-core and axe-core are missing; install them with npm in ~/.cache/wavemill/node, or name their folder in NODE_PATH")
	return
}

// digits copies some of the spoken digits into a folder.
func digits(t *testing.T) (folder string, labels []string) {
	t.Helper()
	folder = t.TempDir()
	for _, digit := range []string{"0", "1", "2"} {
		found, _ := filepath.Glob("../../../shared/data/fsdd/" + digit + "_*_1?.wav")
		if len(found) < 10 {
			oracle.Missing(t, "the spoken digits are missing beside the repository")
		}
		for _, file := range found[:10] {
			content, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, filepath.Base(file)), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder, []string{"0", "1", "2"}
}

// A process is the binary under test.
type process struct {
	t      *testing.T
	args   []string
	cmd    *exec.Cmd
	exited chan error
}

// start runs the binary until its output has the text.
func (p *process) start(ready string) {
	p.t.Helper()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.exited = make(chan error, 1)
	cmd, exited := p.cmd, p.exited
	go func() {
		err := cmd.Wait()
		_ = in.Close()
		exited <- err
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), ready) {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
		p.t.Log(lines.Text())
	}
	p.t.Fatal("the server has ended before it was ready")
}

// kill ends the binary as a fault would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// freeAddress is an address on this machine that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// drive runs browser.mjs and answers what it asks of the server.
func drive(t *testing.T, node string, g given, do func(word string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	defer cancel()
	arg, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node, "testdata/browser.mjs", string(arg))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if word, ok := strings.CutPrefix(lines.Text(), "do "); ok {
			do(word)
			fmt.Fprintln(in, "done")
			continue
		}
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the browser: %v", err)
	}
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func TestBrowser(t *testing.T) {
	node, chromium, modules := programs(t)
	folder, labels := digits(t)
	dir := t.TempDir()
	binary := filepath.Join(dir, "wavemill")
	run(t, "go", "build", "-o", binary, "wavemill/cmd/wavemill")
	model := filepath.Join(dir, "digits.safetensors")
	run(t, binary, "train", "--data", folder, "--model", "vae", "--steps", "20", "--ceiling", "off", "--out", model, "--progress", "off")
	budget := usualBudget
	if text := os.Getenv(budgetVariable); text != "" {
		var err error
		if budget, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	sounds, err := filepath.Glob(filepath.Join(folder, "2_*"))
	if err != nil || len(sounds) == 0 {
		t.Fatal("no sound to vary", err)
	}
	g := given{Modules: modules, Chromium: chromium, Labels: labels, Sound: sounds[0], Folder: folder, Minutes: budget.Minutes(), FirstSound: 1000, Screenshots: os.Getenv(screenshotsVariable)}
	if g.Screenshots != "" {
		if g.Screenshots, err = filepath.Abs(g.Screenshots); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("studio", func(t *testing.T) {
		address := freeAddress(t)
		server := &process{t: t, args: []string{binary, "studio", model, "--data", folder, "--listen", address, "--dir", filepath.Join(dir, "studio"), "--progress", "off"}}
		server.start("studio: http://" + address)
		defer func() { server.kill() }()
		g := g
		g.URL, g.Views, g.Steps = "http://"+address+"/", []string{"play", "look", "train"}, []string{"play", "list", "look", "train", "looks"}
		drive(t, node, g, func(word string) {
			switch word {
			case "kill":
				server.kill()
			case "start":
				server.start("studio: http://" + address)
			}
		})
	})
	t.Run("pipeline", func(t *testing.T) {
		address, nats := freeAddress(t), freeAddress(t)
		server := &process{t: t, args: []string{binary, "up", "--data-dir", filepath.Join(dir, "nats"), "--listen", nats, "--http", address, "--log", "json"}}
		server.start(`"pipeline runs"`)
		defer func() { server.kill() }()
		broken := filepath.Join(dir, "broken_1.wav")
		if err := os.WriteFile(broken, []byte("RIFF this is no sound"), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, binary, "publish", broken, "--nats", "nats://"+nats, "--progress", "off")
		g := g
		g.URL, g.Steps = "http://"+address+"/", []string{"run"}
		drive(t, node, g, func(string) {})
	})
}
