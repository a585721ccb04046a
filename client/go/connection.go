package callgate

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// serviceConfig: gRPC itself repeats what never left, or what the server refused unseen. Other UNAVAILABLEs (a connection
// lost midway) might have run, so the policy covers only the methods that change nothing. The entry without a policy is
// found at the first look: for a method without one, gRPC looks for its service's and for everybody's with each call.
const serviceConfig = `{
  "methodConfig": [{
    "name": [
      {"service": "callgate.v1.FunctionService", "method": "ListFunctions"},
      {"service": "callgate.v1.FunctionService", "method": "GetFunction"}
    ],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.1s",
      "maxBackoff": "1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }, {
    "name": [{"service": "callgate.v1.FunctionService", "method": "CallFunction"}]
  }]
}`

func (s *settings) dialOptions() []grpc.DialOption {
	made := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallSendMsgSize(s.maxMessage+1024), grpc.MaxCallRecvMsgSize(s.maxMessage+1024)),
		// Failures carry a whole exception: 8 KiB, which other implementations take by default, would drop some.
		grpc.WithMaxHeaderListSize(16 * 1024),
		// Find out that a peer is gone although its host never said so.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// A server that was restarted is found again within seconds; gRPC's own back-off goes up to two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 20 * time.Second, // gRPC's own
		}),
		grpc.WithUserAgent("callgate-go"),
	}
	if s.tls != nil {
		made = append(made, grpc.WithTransportCredentials(credentials.NewTLS(s.tls)))
	}
	if s.token != "" {
		made = append(made, grpc.WithPerRPCCredentials(bearer{"authorization": "Bearer " + s.token}))
	}
	return append(made, s.dial...)
}

// bearer is the token, as every request carries it; on plain connections, too, as the server may be on loopback.
type bearer map[string]string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return b, nil
}

func (b bearer) RequireTransportSecurity() bool { return false }

// schemes are gRPC's own (https://github.com/grpc/grpc/blob/master/doc/naming.md), passed through as they are.
var schemes = []string{"unix:", "unix-abstract:", "vsock:", "dns:", "passthrough:", "xds:"}

var hostName = regexp.MustCompile(`^(?:\[[0-9A-Fa-f:.%a-z]+\]|[^\s:/\[\]]+)$`)

// targetOf checks a target, with what to write instead in the error.
func targetOf(target string) (string, error) {
	if target == "" {
		target = os.Getenv("CALLGATE_SERVER")
	}
	if target == "" {
		target = defaultTarget
	}
	for _, scheme := range schemes {
		if strings.HasPrefix(target, scheme) {
			return target, nil
		}
	}
	right := ""
	at := strings.LastIndexByte(target, ':')
	switch {
	case strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://"):
		right = "write HOST:PORT alone, and WithTLS for TLS"
	case at < 0 || !hostName.MatchString(target[:at]):
		right = "write HOST:PORT (localhost:50051, [::1]:50051) or unix:PATH"
	default:
		port, err := strconv.Atoi(target[at+1:])
		if err == nil && port > 0 && port < 65536 {
			return target, nil
		}
		right = "the port is a number from 1 to 65535"
	}
	return "", fmt.Errorf("%s is no target: %s", shortKey(target), right)
}

const (
	nobody           = "nothing listens there; is the server running (`callgate serve`)?"
	noHost           = "there is no host of that name"
	anotherName      = "the server's certificate is for another name; WithServerName says for which"
	unknownAuthority = "the server's certificate is not signed by an authority that this client trusts; name the one that signed it with WithCA"
	wantsTLS         = "the server hung up; it may speak TLS: WithTLS or WithCA"
	wantsCertificate = "the server hung up; it may want a client certificate: WithClientCertificate"
	otherCertificate = "the server hung up; it may not know the authority that signed this client's certificate"
)

// unreachableSigns stand in what gRPC and Go say of a connection that cannot be made, most telling first, with what they
// mean. Where their wording changes, it is shown as it is; tests notice.
var unreachableSigns = []struct{ sign, meaning string }{
	{"first record does not look like a TLS handshake", "the server does not speak TLS there: leave the TLS options out"},
	{"certificate has expired or is not yet valid", "the server's certificate is out of its time"},
	{"certificate signed by unknown authority", unknownAuthority},
	{"certificate is valid for", anotherName},
	{"certificate is not valid for any names", anotherName},
	{"doesn't contain any IP SANs", anotherName},
	{"certificate required", wantsCertificate},
	{"unknown certificate authority", otherCertificate},
	{"bad certificate", otherCertificate},
	{"connection refused", nobody},
	{"no such file or directory", nobody},
	{"no such host", noHost},
}

// hangUps are how it looks where a server ends a connection: with TLS 1.3 a client learns only so that its certificate, or
// its lack of one, did not do.
var hangUps = []string{"error reading server preface", "broken pipe", "connection reset by peer", "EOF"}

// unreachable is what gRPC says of a connection that could not be made, as a sentence with what to do; other texts stay.
func (g *Gate) unreachable(details string) string {
	meaning := ""
	for _, known := range unreachableSigns {
		if meaning == "" && strings.Contains(details, known.sign) {
			meaning = known.meaning
		}
	}
	hungUp := slices.ContainsFunc(hangUps, func(sign string) bool { return strings.Contains(details, sign) })
	switch {
	case meaning != "" || !hungUp || g.reached.Load(): // a connection that did work broke for another reason
	case !g.secure:
		meaning = wantsTLS
	case g.certified:
		meaning = otherCertificate
	default:
		meaning = wantsCertificate
	}
	if meaning == "" {
		return details
	}
	return fmt.Sprintf("cannot connect to %s: %s (%s)", g.target, meaning, details)
}
