package studio_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"wavemill/internal/oracle"
)

// The page is driven in Debian's chromium by testdata/browser, against the binary: what a person does, and what it must show.
// Screenshots go to the folder in WAVEMILL_SCREENSHOTS, where it is set; WAVEMILL_STUDIO_BUDGET is the budget of the training, a
// duration.
const (
	screenshotsVariable = "WAVEMILL_SCREENSHOTS"
	budgetVariable      = "WAVEMILL_STUDIO_BUDGET"
	usualBudget         = 10 * time.Second
	demoBudget          = 10 * time.Second
	browserTime         = 12 * time.Minute // far more than it takes: it ends a test that hangs
)

// markup is a label, a file and a name that must stay text wherever the page shows them.
const markup = "<img src=x onerror=alert(1)>"

// given is what browser/main.mjs is told.
type given struct {
	URL         string   `json:"url"`
	Modules     string   `json:"modules"`
	Chromium    string   `json:"chromium"`
	Labels      []string `json:"labels"`
	Markup      string   `json:"markup"`
	Sound       string   `json:"sound"`
	Folder      dropped  `json:"folder"`
	Zip         dropped  `json:"zip"`
	Minutes     float64  `json:"minutes"`
	Views       []string `json:"views"`
	FirstSound  int      `json:"firstSound"` // ms
	Screenshots string   `json:"screenshots"`
	Steps       []string `json:"steps"`
}

// dropped is a folder or a zip that is dropped on the page, with the files of each label.
type dropped struct {
	Path   string         `json:"path"`
	Files  int            `json:"files"`
	Labels map[string]int `json:"labels"`
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

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// folder copies recordings into a folder for each label: more than the hundred files that a browser lists at a time, and some
// whose names are markup.
func folder(t *testing.T, recordings string) dropped {
	t.Helper()
	d := dropped{Path: filepath.Join(t.TempDir(), "takes"), Labels: map[string]int{"hit": 104, "pluck": 10, markup: 10}}
	from := map[string][]string{"hit": {"kick", "hihat"}, "pluck": {"pluck"}, markup: {"bell"}}
	for label, n := range d.Labels {
		var found []string
		for _, class := range from[label] {
			files, err := filepath.Glob(filepath.Join(recordings, class, "*.wav"))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, files...)
		}
		if len(found) < n {
			t.Fatalf("the demo has %d recordings for %s, %d are needed", len(found), label, n)
		}
		for i, file := range found[:n] {
			copyFile(t, file, filepath.Join(d.Path, label, fmt.Sprintf("%s_%d.wav", label, i)))
		}
		d.Files += n
	}
	return d
}

// zipped packs the small folders of a folder.
func zipped(t *testing.T, f dropped) dropped {
	t.Helper()
	d := dropped{Path: filepath.Join(t.TempDir(), "takes.zip"), Labels: map[string]int{"pluck": f.Labels["pluck"], markup: f.Labels[markup]}}
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for label, n := range d.Labels {
		for i := range n {
			name := fmt.Sprintf("%s/%s_%d.wav", label, label, i)
			content, err := os.ReadFile(filepath.Join(f.Path, name))
			if err != nil {
				t.Fatal(err)
			}
			w, err := archive.Create(name)
			if err == nil {
				_, err = w.Write(content)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		d.Files += n
	}
	if err := errors.Join(archive.Close(), os.WriteFile(d.Path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return d
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

// drive runs the steps in a browser and answers what they ask of the server.
func drive(t *testing.T, node string, g given, answer func(word string) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	defer cancel()
	arg, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node, "testdata/browser/main.mjs", string(arg))
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
			fmt.Fprintln(in, answer(word))
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

// busy is how many programs wait for each processor of the machine, a whole number.
func busy(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0 // Not Linux.
	}
	var load float64
	if _, err := fmt.Sscan(string(text), &load); err != nil {
		t.Fatal(err)
	}
	return int(load) / runtime.NumCPU()
}

func TestBrowser(t *testing.T) {
	node, chromium, modules := programs(t)
	dir := t.TempDir()
	binary := filepath.Join(dir, "wavemill")
	run(t, "go", "build", "-o", binary, "wavemill/cmd/wavemill")
	// The model is that of the demo, so that the first sound is the one that a newcomer hears. On a busy machine it would learn too
	// little to sound at all.
	run(t, binary, "demo", "--budget", (demoBudget * time.Duration(min(4, max(1, busy(t))))).String(), "--out", filepath.Join(dir, "demo"), "--progress", "off")
	model, recordings := filepath.Join(dir, "demo", "model.safetensors"), filepath.Join(dir, "demo", "recordings")
	budget := usualBudget
	if text := os.Getenv(budgetVariable); text != "" {
		var err error
		if budget, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	g := given{Modules: modules, Chromium: chromium, Labels: []string{"bell", "chirp", "hihat"}, Markup: markup, Minutes: budget.Minutes(), FirstSound: 1000}
	g.Folder = folder(t, recordings)
	g.Zip = zipped(t, g.Folder)
	g.Sound = filepath.Join(g.Folder.Path, "pluck", "pluck_0.wav")
	if g.Screenshots = os.Getenv(screenshotsVariable); g.Screenshots != "" {
		var err error
		if g.Screenshots, err = filepath.Abs(g.Screenshots); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("studio", func(t *testing.T) {
		address := freeAddress(t)
		server := &process{t: t, args: []string{binary, "studio", model, "--data", recordings, "--listen", address, "--dir", filepath.Join(dir, "studio"), "--progress", "off"}}
		server.start("studio: http://" + address)
		defer func() { server.kill() }()
		g := g
		g.URL, g.Views = "http://"+address+"/", []string{"play", "look", "train"}
		g.Steps = []string{"first", "play", "microphone", "midi", "out", "list", "look", "train", "looks"}
		drive(t, node, g, func(word string) string {
			switch word {
			case "kill":
				server.kill()
			case "start":
				server.start("studio: http://" + address)
			}
			return "done"
		})
	})
	t.Run("pipeline", func(t *testing.T) {
		address := freeAddress(t)
		b := newBench(t, binary, t.TempDir(), address)
		b.store(model)
		b.publish(recordings, t.TempDir())
		g := g
		g.URL, g.Steps = "http://"+address+"/", []string{"run"}
		drive(t, node, g, b.answer)
	})
}
