package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// statusOf returns the status of a request with headers as name, value pairs.
func statusOf(t *testing.T, link string, headers ...string) int {
	t.Helper()
	return statusBy(t, http.DefaultClient, link, headers...)
}

// statusBy is statusOf with a client of its own.
func statusBy(t *testing.T, client *http.Client, link string, headers ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := client.Do(r)
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

// testCertificate writes the certificate of package httptest, which is for 127.0.0.1 and its own authority, as PEM files, and
// returns a client that trusts it.
func testCertificate(t *testing.T) (cert, key string, client *http.Client) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	private, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: server.Certificate().Raw}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, server.Client()
}

func TestStudioTLS(t *testing.T) {
	cert, key, client := testCertificate(t)
	link, end := runStudio(t, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", cert)
	if link.Scheme != "https" || link.Path != "/" {
		t.Errorf("the link is %s", link)
	}
	if status := statusBy(t, client, link.String()); status != http.StatusUnauthorized {
		t.Errorf("without a client certificate: status %d", status)
	}
	if code := end(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for name, args := range map[string][]string{
		"studio without a key":     {"studio", "--listen", "127.0.0.1:0", "--tls-cert", cert},
		"up with an authority":     {"up", "--http", "127.0.0.1:0", "--tls-client-ca", cert},
		"up without another page":  {"up", "--tls-cert", cert, "--tls-key", key},
		"studio with no such flag": {"studio", "--tls-ca", cert},
	} {
		if code, _, stderr := runCLI(t, args...); code != exitUsage || !strings.Contains(stderr, "--tls-") {
			t.Errorf("%s: exit code %d: %s", name, code, stderr)
		}
	}
}

func TestUpTLS(t *testing.T) {
	cert, key, client := testCertificate(t)
	u := startUp(t, fileOf(t, "name: mill\noperators:\n  - operator: spectrogram\n"), "--tls-cert", cert, "--tls-key", key)
	address := strings.TrimPrefix(u.http, "http://")
	if status := statusBy(t, client, "https://"+address+"/api/parts"); status != http.StatusOK {
		t.Errorf("the studio: status %d", status)
	}
	if code, stdout, stderr := runCLI(t, "health", "--http", address, "--tls-ca", cert); code != exitOK || !strings.Contains(stdout, "alive") {
		t.Errorf("health: exit code %d: %s", code, stderr)
	}
	if code, _, _ := runCLI(t, "health", "--http", address); code != exitFailed {
		t.Errorf("health without TLS: exit code %d", code)
	}
	if code, _, stderr := runCLI(t, "health", "--http", address, "--tls-ca", key); code != exitFailed || !strings.Contains(stderr, "--tls-ca") {
		t.Errorf("health with a key for an authority: exit code %d: %s", code, stderr)
	}
	if code := u.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
