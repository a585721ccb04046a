package callgate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
)

const (
	// defaultTarget is where a server listens unless told otherwise.
	defaultTarget = "127.0.0.1:50051"
	// defaultMaxMessage is the largest that a server can be set to take.
	defaultMaxMessage = 1 << 30
	// defaultInFlight is below the server's default admission limit of 128, so that one client's flood waits here, in order,
	// instead of being refused there.
	defaultInFlight = 100
)

// Option sets how [Dial] connects.
type Option func(*settings) error

type settings struct {
	tls        *tls.Config
	token      string
	timeout    time.Duration
	maxMessage int
	inFlight   int
	dial       []grpc.DialOption
}

// WithTLS connects with TLS and trusts the system's authorities, unless [WithCA] names another.
func WithTLS() Option {
	return func(s *settings) error {
		s.useTLS()
		return nil
	}
}

// WithCA connects with TLS and trusts the authorities whose certificates are in a PEM file, and no others.
func WithCA(file string) Option {
	return func(s *settings) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("the authority's certificate cannot be read: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(data) {
			return fmt.Errorf("%s holds no certificate in PEM form", file)
		}
		s.useTLS().RootCAs = pool
		return nil
	}
}

// WithClientCertificate connects with TLS and shows a certificate of the client's own (mutual TLS), from PEM files.
func WithClientCertificate(certificate, key string) Option {
	return func(s *settings) error {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return fmt.Errorf("the client's certificate %s with the key %s: %w", certificate, key, err)
		}
		s.useTLS().Certificates = []tls.Certificate{pair}
		return nil
	}
}

// WithServerName connects with TLS and expects a name in the server's certificate that is not the target's.
func WithServerName(name string) Option {
	return func(s *settings) error {
		s.useTLS().ServerName = name
		return nil
	}
}

// WithTLSConfig connects with TLS as the configuration says; options after it change a copy of it.
func WithTLSConfig(config *tls.Config) Option {
	return func(s *settings) error {
		if config == nil {
			return fmt.Errorf("WithTLSConfig was given no configuration")
		}
		s.tls = config.Clone()
		return nil
	}
}

// WithToken sends a bearer token with each call; "" for none. Without this option it is $CALLGATE_TOKEN.
func WithToken(token string) Option {
	return func(s *settings) error {
		s.token = token
		return nil
	}
}

// WithTimeout limits calls whose context has no deadline, and streams until their last item; of a batch and of Map it
// limits each call, unless [CallTimeout] says otherwise. There is no limit by default.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) error {
		if timeout <= 0 {
			return fmt.Errorf("the timeout is %s; more than 0 is right", timeout)
		}
		s.timeout = timeout
		return nil
	}
}

// WithMaxMessage sets the largest message to send or take, in bytes (1 GiB); the server's own limit holds beside it.
func WithMaxMessage(bytes int) Option {
	return func(s *settings) error {
		if bytes < 1 || bytes > defaultMaxMessage {
			return fmt.Errorf("the largest message is %d bytes; 1 to %d is right", bytes, defaultMaxMessage)
		}
		s.maxMessage = bytes
		return nil
	}
}

// WithInFlight sets how many calls may be on their way at once (100); more wait in this client, in order.
func WithInFlight(calls int) Option {
	return func(s *settings) error {
		if calls < 1 {
			return fmt.Errorf("%d calls in flight; 1 or more is right", calls)
		}
		s.inFlight = calls
		return nil
	}
}

// WithDialOptions passes further options to gRPC; they count over this package's own.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) error {
		s.dial = append(s.dial, options...)
		return nil
	}
}

func (s *settings) useTLS() *tls.Config {
	if s.tls == nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return s.tls
}

// checkToken: RFC 6750 allows less; a header takes this much. The token itself must not get into a message.
func checkToken(token string) error {
	if strings.ContainsFunc(token, func(char rune) bool { return char <= ' ' || char > '~' }) {
		return fmt.Errorf("a token is one word of printable ASCII characters")
	}
	return nil
}
