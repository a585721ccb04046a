package callgate

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/callgate/callgate/client/go/gen/callgate/v1"
	"github.com/callgate/callgate/client/go/internal/servertest"
)

// goldenCase is one of cases/values.yaml.
type goldenCase struct {
	name, value string
	also        []string
}

// goldenCases reads the file, whose lines are keys and values in JSON's notation: no YAML library for one file.
func goldenCases(t *testing.T) []goldenCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(servertest.Root(), "tests", "conformance", "cases", "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		key, text, _ := strings.Cut(strings.TrimPrefix(line, "- "), ": ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, `- "name"`):
			cases = append(cases, goldenCase{name: unquoted(t, text)})
		case key == `"value"`:
			cases[len(cases)-1].value = unquoted(t, text)
		case strings.HasPrefix(line, `- "`) && text == "":
			cases[len(cases)-1].also = append(cases[len(cases)-1].also, unquoted(t, strings.TrimPrefix(line, "- ")))
		}
	}
	if len(cases) < 60 {
		t.Fatalf("only %d cases were read", len(cases))
	}
	return cases
}

func unquoted(t *testing.T, text string) string {
	t.Helper()
	var made string
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return made
}

func parsed(t *testing.T, text string) *pb.Value {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	message := new(pb.Value)
	if err := proto.Unmarshal(data, message); err != nil {
		t.Fatal(err)
	}
	return message
}

func TestGoldenBytesAreDecodedAndEncodedAgain(t *testing.T) {
	for _, golden := range goldenCases(t) {
		t.Run(golden.name, func(t *testing.T) {
			for _, form := range append([]string{golden.value}, golden.also...) {
				decoded, err := Decode(parsed(t, form))
				if err != nil {
					t.Fatal(err)
				}
				encoded, err := Encode(decoded)
				if err != nil {
					t.Fatal(err)
				}
				data, err := proto.MarshalOptions{Deterministic: true}.Marshal(encoded)
				if err != nil {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(data); got != golden.value {
					t.Errorf("%s became %#v and then %s", form, decoded, got)
				}
			}
		})
	}
}

// FuzzDecode: whatever a stranger's bytes are, decoding gives a value that can be sent, or a ValueDecodeError.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	for _, text := range []string{"0800", "4200", "8a01180a01620a016112021802120c6a0a0a08000000000000f83f", "ea01020800"} {
		data, _ := hex.DecodeString(text)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		message := new(pb.Value)
		if proto.Unmarshal(data, message) != nil {
			return
		}
		decoded, err := Decode(message)
		var refused *ValueDecodeError
		if err != nil {
			if !errors.As(err, &refused) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		encoded, err := Encode(decoded)
		if err != nil {
			t.Fatalf("%#v was decoded and has no form: %v", decoded, err)
		}
		if _, err := proto.Marshal(encoded); err != nil {
			t.Fatal(err)
		}
	})
}
