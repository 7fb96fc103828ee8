package studio_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wavemill/operators/studio"
	"wavemill/operators/studio/web"
)

// An authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate, PEM
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	a := authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var cert []byte
	cert, a.key = a.sign(template)
	var err error
	if a.cert, err = x509.ParseCertificate(cert); err != nil {
		t.Fatal(err)
	}
	a.file = write(t, "CERTIFICATE", cert)
	return a
}

// sign makes a certificate with a key of its own; the authority's own where it has none yet.
func (a authority) sign(template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// issue makes a certificate for a server on this machine or for a client, as PEM files.
func (a authority) issue(use x509.ExtKeyUsage) (cert, key string) {
	a.t.Helper()
	der, private := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "studio"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return write(a.t, "CERTIFICATE", der), write(a.t, "PRIVATE KEY", text)
}

// write writes a PEM file.
func write(t *testing.T, kind string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// with returns a client that trusts the authority and has a certificate, PEM files, where they are named.
func (a authority) with(cert, key string) *http.Client {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			a.t.Fatal(err)
		}
		// The client offers its certificate also where the server does not name its authority.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// serve runs a studio without parts until the test ends and returns its link.
func serve(t *testing.T, access studio.Access) string {
	t.Helper()
	handler, err := studio.Handler(studio.Options{Access: access, Log: quiet, Open: []string{"/livez"}, Also: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "alive")
	})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server, err := studio.Listen(ctx, access, handler, quiet)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server.Link()
}

// status asks for a page; 0 where the connection fails.
func status(t *testing.T, client *http.Client, url string, headers ...string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Log(err)
		return 0, nil
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header
}

func TestClientCertificates(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	cert, key := ours.issue(x509.ExtKeyUsageServerAuth)
	mine, mineKey := ours.issue(x509.ExtKeyUsageClientAuth)
	foreign, foreignKey := theirs.issue(x509.ExtKeyUsageClientAuth)
	files := web.TLSFiles{Cert: cert, Key: key, ClientCA: ours.file}
	for name, token := range map[string]string{"certificates alone": "", "with a token": "a token"} {
		t.Run(name, func(t *testing.T) {
			access, err := studio.NewAccess("0.0.0.0:0", token, files)
			if err != nil {
				t.Fatal(err)
			}
			if access.Token != token {
				t.Fatalf("the token is %q", access.Token)
			}
			access.Address = "127.0.0.1:0"
			link := serve(t, access)
			page, live := link[:strings.LastIndex(link, "/")]+"/api/parts", link[:strings.LastIndex(link, "/")]+"/livez"
			if got, _ := status(t, ours.with(mine, mineKey), page); got != http.StatusOK {
				t.Errorf("a certificate of the authority: status %d", got)
			}
			if got, _ := status(t, ours.with("", ""), page); got != http.StatusUnauthorized {
				t.Errorf("no certificate: status %d", got)
			}
			if got, _ := status(t, ours.with(foreign, foreignKey), page); got != 0 {
				t.Errorf("a certificate of another authority: status %d", got)
			}
			if got, _ := status(t, ours.with(cert, key), page); got != 0 {
				t.Errorf("a certificate that is for servers: status %d", got)
			}
			if got, _ := status(t, ours.with("", ""), live); got != http.StatusOK {
				t.Errorf("an open page without a certificate: status %d", got)
			}
			if got, _ := status(t, theirs.with("", ""), page); got != 0 {
				t.Errorf("a client that does not trust the server: status %d", got)
			}
			got, _ := status(t, ours.with("", ""), page, "Authorization", "Bearer a token")
			if want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[token != ""]; got != want {
				t.Errorf("the token without a certificate: status %d, want %d", got, want)
			}
			if got, _ := status(t, ours.with("", ""), page, "Authorization", "Bearer "); got != http.StatusUnauthorized {
				t.Errorf("an empty token: status %d", got)
			}
		})
	}
}

// TestTLS asks a studio with a certificate and a token, by TLS of several versions and without.
func TestTLS(t *testing.T) {
	ours := newAuthority(t, "ours")
	cert, key := ours.issue(x509.ExtKeyUsageServerAuth)
	access, err := studio.NewAccess("127.0.0.1:0", "a token", web.TLSFiles{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	link := serve(t, access)
	if !strings.HasPrefix(link, "https://127.0.0.1:") {
		t.Fatalf("the link is %s", link)
	}
	got, headers := status(t, ours.with("", ""), link)
	if cookie := headers.Get("Set-Cookie"); got != http.StatusOK || !strings.Contains(cookie, "; Secure") {
		t.Errorf("login: status %d, cookie %q", got, cookie)
	}
	mine, mineKey := ours.issue(x509.ExtKeyUsageClientAuth)
	page := strings.TrimSuffix(link, "/login?token=a+token") + "/api/parts"
	if got, _ := status(t, ours.with(mine, mineKey), page); got != http.StatusUnauthorized {
		t.Errorf("a certificate where none logs in: status %d", got)
	}
	if got, _ := status(t, http.DefaultClient, "http"+strings.TrimPrefix(page, "https")); got != http.StatusBadRequest {
		t.Errorf("without TLS: status %d", got)
	}
	old := ours.with("", "")
	old.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS10
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS11
	if got, _ := status(t, old, page); got != 0 {
		t.Errorf("TLS 1.1: status %d", got)
	}
}

func TestTLSFiles(t *testing.T) {
	ours := newAuthority(t, "ours")
	cert, key := ours.issue(x509.ExtKeyUsageServerAuth)
	for name, c := range map[string]struct {
		files web.TLSFiles
		want  string // in the error
	}{
		"no key":              {web.TLSFiles{Cert: cert}, web.ErrTLSFiles.Error()},
		"no certificate":      {web.TLSFiles{Key: key}, web.ErrTLSFiles.Error()},
		"an authority alone":  {web.TLSFiles{ClientCA: ours.file}, web.ErrTLSFiles.Error()},
		"a missing file":      {web.TLSFiles{Cert: "nothing.pem", Key: key}, "nothing.pem"},
		"another's key":       {web.TLSFiles{Cert: ours.file, Key: key}, ours.file},
		"a missing authority": {web.TLSFiles{Cert: cert, Key: key, ClientCA: "nothing.pem"}, "nothing.pem"},
		"a key as authority":  {web.TLSFiles{Cert: cert, Key: key, ClientCA: key}, key},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := studio.NewAccess("127.0.0.1:1", "", c.files)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want one with %q", err, c.want)
			}
			if errors.Is(err, web.ErrTLSFiles) != (c.want == web.ErrTLSFiles.Error()) {
				t.Errorf("the error %v is of the wrong kind", err)
			}
		})
	}
}

func TestToken(t *testing.T) {
	made := func(address, token string) studio.Access {
		a, err := studio.NewAccess(address, token, web.TLSFiles{})
		if err != nil || a.TLS != nil {
			t.Fatal(a.TLS, err)
		}
		return a
	}
	if got := made("127.0.0.1:1", "").Token; got != "" {
		t.Errorf("on this machine the token is %q", got)
	}
	if a, b := made(":1", "").Token, made(":1", "").Token; len(a) < 20 || a == b {
		t.Errorf("tokens for all machines: %q, %q", a, b)
	}
	if got := made("127.0.0.1:1", "mine").Token; got != "mine" {
		t.Errorf("the given token became %q", got)
	}
	if got := made("0.0.0.0:1", "a b").Link(); got != "http://127.0.0.1:1/login?token=a+b" {
		t.Errorf("the link is %q", got)
	}
}
