//go:build linux

package charttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// keyPair makes a key pair with its seed and public key as texts.
func keyPair(t *testing.T, create func() (nkeys.KeyPair, error)) (pair nkeys.KeyPair, seed, public string) {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	s, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return pair, string(s), public
}

// nkeyLogin logs in by the seed of an nkey.
func nkeyLogin(t *testing.T) login {
	t.Helper()
	_, right, public := keyPair(t, nkeys.CreateUser)
	_, wrong, _ := keyPair(t, nkeys.CreateUser)
	return login{
		name:   "nkey",
		config: "authorization { users: [{nkey: " + public + "}] }",
		values: "nkey: {existingSecret: bus, key: mill.nk}",
		right:  map[string]string{"mill.nk": right},
		wrong:  map[string]string{"mill.nk": wrong},
	}
}

// credsLogin logs in by a JWT that an operator's account has signed.
func credsLogin(t *testing.T) login {
	t.Helper()
	operator, _, operatorID := keyPair(t, nkeys.CreateOperator)
	account, _, accountID := keyPair(t, nkeys.CreateAccount)
	_, _, systemID := keyPair(t, nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(accountID)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	accountJWT, err := claims.Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	systemJWT, err := jwt.NewAccountClaims(systemID).Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	operatorJWT, err := jwt.NewOperatorClaims(operatorID).Encode(operator)
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, _ := keyPair(t, nkeys.CreateAccount)
	return login{
		name: "creds",
		config: fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }",
			operatorJWT, systemID, accountID, accountJWT, systemID, systemJWT),
		values: "credentials: {existingSecret: bus, key: mill.creds}",
		right:  map[string]string{"mill.creds": credsFile(t, account)},
		wrong:  map[string]string{"mill.creds": credsFile(t, stranger)},
	}
}

// credsFile is a .creds file of a new user that an account has signed.
func credsFile(t *testing.T, account nkeys.KeyPair) string {
	t.Helper()
	_, seed, id := keyPair(t, nkeys.CreateUser)
	text, err := jwt.NewUserClaims(id).Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	file, err := jwt.FormatUserConfig(text, []byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

// certificateLogin logs in by a certificate alone: the server takes its subject for the user.
func certificateLogin(t *testing.T, host string) login {
	t.Helper()
	ca, stranger := newAuthority(t, "ours"), newAuthority(t, "another")
	serverCert, serverKey := ca.issue(t, "server", host)
	cert, key := ca.issue(t, "mill", "")
	wrongCert, wrongKey := stranger.issue(t, "mill", "")
	return login{
		name: "certificate", scheme: "tls",
		config: `tls { cert_file: /etc/nats/server.crt, key_file: /etc/nats/server.key, ca_file: /etc/nats/ca.crt, verify_and_map: true }
authorization { users: [{user: "CN=mill"}] }`,
		files:  map[string]string{"server.crt": serverCert, "server.key": serverKey, "ca.crt": ca.pem},
		values: "tls: {caConfigMap: nats-ca, clientSecret: bus}",
		right:  map[string]string{"tls.crt": cert, "tls.key": key},
		wrong:  map[string]string{"tls.crt": wrongCert, "tls.key": wrongKey},
	}
}

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	a.pem = a.sign(t, a.cert, &key.PublicKey)
	return a
}

// issue makes a certificate and its key; host is the name of a server, empty for a client.
func (a authority) issue(t *testing.T, name, host string) (cert, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if host != "" {
		template.DNSNames, template.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	text, err := x509.MarshalECPrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return a.sign(t, template, &pair.PublicKey), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text}))
}

func (a authority) sign(t *testing.T, template *x509.Certificate, public *ecdsa.PublicKey) string {
	t.Helper()
	text, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text}))
}
