package callgate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	callgate "github.com/callgate/callgate/client/go"
	"github.com/callgate/callgate/client/go/internal/servertest"
)

// authority signs certificates for tests, made on the spot.
type authority struct {
	t           *testing.T
	folder      string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	made := &authority{t: t, folder: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	made.file, _ = made.sign("authority", template, nil)
	return made
}

// sign writes a certificate and its key; the first is the authority's own.
func (a *authority) sign(name string, template *x509.Certificate, hosts []net.IP) (certificate, key string) {
	a.t.Helper()
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.IPAddresses = hosts
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.certificate == nil {
		a.certificate, a.key = template, own
	}
	data, err := x509.CreateCertificate(rand.Reader, template, a.certificate, own.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", data), a.write(name+".key", "PRIVATE KEY", secret)
}

func (a *authority) write(name, kind string, data []byte) string {
	a.t.Helper()
	file := filepath.Join(a.folder, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

func (a *authority) pair(name string, hosts ...net.IP) (certificate, key string) {
	return a.sign(name, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}}, hosts)
}

func start(t *testing.T, arguments ...string) string {
	t.Helper()
	running, err := servertest.Start(append(served(), arguments...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Stop)
	return running.Address
}

func TestTLSAndMutualTLS(t *testing.T) {
	signer, stranger := newAuthority(t), newAuthority(t)
	certificate, key := signer.pair("server", net.IPv4(127, 0, 0, 1))
	own, ownKey := signer.pair("alice")
	foreign, foreignKey := stranger.pair("mallory")
	address := start(t, "--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", signer.file)
	trusted := callgate.WithCA(signer.file)

	gate := dialTo(t, address, trusted, callgate.WithClientCertificate(own, ownKey))
	if who := must(t, gate, "conformance_functions", "who"); who != "alice" {
		t.Errorf("it is called by %v", who)
	}
	for said, options := range map[string][]callgate.Option{
		"WithTLS or WithCA":                  nil,
		"not signed by an authority":         {callgate.WithCA(stranger.file)},
		"want a client certificate":          {trusted},
		"may not know the authority":         {trusted, callgate.WithClientCertificate(foreign, foreignKey)},
		"certificate is for another name":    {trusted, callgate.WithServerName("example.org")},
		"not signed by an authority that th": {callgate.WithTLS()},
	} {
		_, err := dialTo(t, address, options...).CallFunction(limited(t), "math", "sqrt", 1.0)
		var failed *callgate.GateError
		if !errors.As(err, &failed) || failed.Code != codes.Unavailable || !strings.Contains(err.Error(), said) {
			t.Errorf("wanted %q, got %v", said, err)
		}
	}
	if _, err := callgate.Dial(address, callgate.WithClientCertificate(own, foreignKey)); err == nil {
		t.Error("another certificate's key was taken")
	}
}

func TestTLSWhereThereIsNone(t *testing.T) {
	running, err := server()
	if err != nil {
		t.Fatal(err)
	}
	_, err = dialTo(t, running.Address, callgate.WithTLS()).CallFunction(limited(t), "math", "sqrt", 1.0)
	if err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("got %v", err)
	}
}

func TestTokens(t *testing.T) {
	command, err := servertest.Command()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tokens.txt")
	token, err := exec.CommandContext(limited(t), command, "token", "alice", "--file", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	address := start(t, "--tokens", file)
	t.Setenv("CALLGATE_TOKEN", strings.TrimSpace(string(token)))
	gate := dialTo(t, address)
	if who := must(t, gate, "conformance_functions", "who"); who != "alice" {
		t.Errorf("it is called by %v", who)
	}
	for _, wrong := range []string{"", "wrong"} {
		gate := dialTo(t, address, callgate.WithToken(wrong))
		var failed *callgate.GateError
		if _, err := gate.CallFunction(limited(t), "math", "sqrt", 1.0); !errors.As(err, &failed) || failed.Reason != "UNAUTHENTICATED" {
			t.Errorf("%q: %v", wrong, err)
		}
		if err := gate.Ready(limited(t)); !errors.As(err, &failed) || failed.Code != codes.Unauthenticated {
			t.Errorf("%q: Ready: %v", wrong, err)
		}
	}
}
