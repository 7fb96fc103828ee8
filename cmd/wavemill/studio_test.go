package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// statusOf returns the status of a request with headers as name, value pairs.
func statusOf(t *testing.T, link string, headers ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// runStudio begins a studio and returns the link that it prints, and what ends it and returns the exit code.
func runStudio(t *testing.T, args ...string) (link *url.URL, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code, dir := make(chan int, 1), filepath.Join(t.TempDir(), "studio")
	go func() {
		code <- execute(ctx, append([]string{"studio", "--dir", dir}, args...), strings.NewReader(""), in, io.Discard)
		in.Close()
	}()
	line, _ := bufio.NewReader(out).ReadString('\n')
	text, ok := strings.CutPrefix(strings.TrimSpace(line), "studio: ")
	if !ok {
		t.Fatalf("the studio printed %q", line)
	}
	link, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return link, func() int { cancel(); return <-code }
}

func TestStudio(t *testing.T) {
	link, end := runStudio(t, filepath.Join("testdata", "compat", "vae.safetensors"), "--listen", "127.0.0.1:0")
	if status := statusOf(t, link.String()); status != http.StatusOK {
		t.Errorf("the page: status %d", status)
	}
	if status := statusOf(t, link.JoinPath("api/clip").String()+"?label=1&seed=7"); status != http.StatusOK {
		t.Errorf("a clip: status %d", status)
	}
	if code, _, stderr := runCLI(t, "studio", "--listen", link.Host); code != exitFailed || !strings.Contains(stderr, "--listen") || !strings.Contains(stderr, "in use") {
		t.Errorf("an address in use: exit code %d: %s", code, stderr)
	}
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if code, _, stderr := runCLI(t, "studio", "nothing.safetensors", "--listen", "127.0.0.1:0"); code != exitFailed || !strings.Contains(stderr, "nothing.safetensors") {
		t.Errorf("a missing checkpoint: exit code %d: %s", code, stderr)
	}
}

// TestStudioToken asks for a studio as another machine would, on this machine: it has a token because its owner wants one.
func TestStudioToken(t *testing.T) {
	link, end := runStudio(t, "--listen", "127.0.0.1:0", "--token", "a token")
	if link.Path != "/login" || link.Query().Get("token") != "a token" {
		t.Errorf("the link is %s", link)
	}
	page := (&url.URL{Scheme: "http", Host: link.Host, Path: "/api/parts"}).String()
	if status := statusOf(t, page); status != http.StatusUnauthorized {
		t.Errorf("without the token: status %d", status)
	}
	if status := statusOf(t, page, "Authorization", "Bearer a token"); status != http.StatusOK {
		t.Errorf("with the token: status %d", status)
	}
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if host, _, err := net.SplitHostPort(link.Host); err != nil || host != "127.0.0.1" {
		t.Errorf("the link names the host %s", link.Host)
	}
}
