package dev.callgate;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** How a server is reached: validated, with the files read, before any channel is made. */
final class Connection {
  /** Calls that change nothing, which gRPC itself may send again; a call of a function never is, for it may have run. */
  private static final Map<String, Object> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name",
                  List.of(
                      Map.of("service", "callgate.v1.FunctionService", "method", "ListFunctions"),
                      Map.of("service", "callgate.v1.FunctionService", "method", "GetFunction")),
                  "retryPolicy",
                  Map.of(
                      "maxAttempts", 4.0,
                      "initialBackoff", "0.1s",
                      "maxBackoff", "1s",
                      "backoffMultiplier", 2.0,
                      "retryableStatusCodes", List.of("UNAVAILABLE")))));

  /** Failures carry a whole exception: gRPC's limit of 8 KiB would drop some. */
  private static final int METADATA_BYTES = 16 * 1024;

  /** What a message's payload may be surrounded by; the Python client's number. */
  private static final int MESSAGE_MARGIN = 1024;

  // gRPC's own naming schemes, passed through as they are.
  private static final Pattern SCHEMED = Pattern.compile("(unix|unix-abstract|dns|ipv4|ipv6|xds):.*", Pattern.DOTALL);
  private static final Pattern HOST = Pattern.compile("\\[[0-9A-Fa-f:.%a-z]+\\]|[^\\s:/\\[\\]]+");
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final String target;
  private final boolean secure;
  private final boolean ownCertificate;
  private final ManagedChannelBuilder<?> builder;

  Connection(GateBuilder told) {
    target = target(told.target);
    ownCertificate = told.certificate != null;
    boolean wantsTls = told.ca != null || ownCertificate;
    if (told.tls != null && !told.tls && wantsTls) {
      throw new IllegalArgumentException("tls(false) contradicts ca and certificate");
    }
    secure = told.tls != null ? told.tls : wantsTls;
    if (!secure && told.serverName != null) {
      throw new IllegalArgumentException("serverName is the name in the server's certificate: it needs tls, or a ca");
    }
    builder = newBuilder(target, secure ? tls(told) : InsecureChannelCredentials.create());
    builder
        .maxInboundMessageSize(told.maxMessage + MESSAGE_MARGIN)
        .maxInboundMetadataSize(METADATA_BYTES)
        .keepAliveTime(30, TimeUnit.SECONDS) // finds out that a peer is gone although its host never said so
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .disableServiceConfigLookUp()
        .defaultServiceConfig(SERVICE_CONFIG);
    if (told.serverName != null) {
      builder.overrideAuthority(told.serverName);
    }
    String token = token(told.token);
    if (!token.isEmpty()) {
      Metadata headers = new Metadata();
      headers.put(AUTHORIZATION, "Bearer " + token);
      builder.intercept(MetadataUtils.newAttachHeadersInterceptor(headers));
    }
  }

  String target() {
    return target;
  }

  /** A channel that connects with the first call. */
  ManagedChannel open() {
    return builder.build();
  }

  private static ManagedChannelBuilder<?> newBuilder(String target, ChannelCredentials credentials) {
    try {
      return Grpc.newChannelBuilder(target, credentials);
    } catch (IllegalArgumentException error) { // a key or certificate that the TLS library does not take
      throw new IllegalArgumentException("ca, certificate or key is not usable: " + rootOf(error).getMessage(), error);
    }
  }

  private static ChannelCredentials tls(GateBuilder told) {
    TlsChannelCredentials.Builder made = TlsChannelCredentials.newBuilder();
    try {
      if (told.ca != null) {
        made.trustManager(new ByteArrayInputStream(pem(told.ca, "ca")));
      }
      if (told.certificate != null) {
        byte[] key = pem(told.key, "key");
        // Java's own limit, and the one that users meet.
        if (!new String(key, StandardCharsets.US_ASCII).contains("-----BEGIN PRIVATE KEY-----")) {
          throw new IllegalArgumentException(
              "key: " + told.key + " is no plain PKCS#8 key; openssl pkcs8 -topk8 -nocrypt -in KEY makes one of it");
        }
        byte[] certificate = pem(told.certificate, "certificate");
        made.keyManager(new ByteArrayInputStream(certificate), new ByteArrayInputStream(key));
      }
    } catch (IOException error) {
      throw new IllegalArgumentException("ca, certificate or key is not usable: " + error.getMessage(), error);
    }
    return made.build();
  }

  private static byte[] pem(Path file, String what) {
    byte[] data;
    try {
      data = Files.readAllBytes(file);
    } catch (IOException error) {
      throw new IllegalArgumentException(what + ": " + file + " cannot be read: " + error, error);
    }
    if (!new String(data, StandardCharsets.ISO_8859_1).contains("-----BEGIN")) {
      throw new IllegalArgumentException(what + ": " + file + " is not PEM (no '-----BEGIN' line)");
    }
    return data;
  }

  private static String target(String target) {
    if (SCHEMED.matcher(target).matches()) {
      return target;
    }
    int colon = target.lastIndexOf(':');
    String right;
    if (target.startsWith("http://") || target.startsWith("https://")) {
      right = "write HOST:PORT alone, and tls(true) for TLS";
    } else if (colon < 0 || !HOST.matcher(target.substring(0, colon)).matches()) {
      right = "write HOST:PORT (localhost:50051, [::1]:50051) or unix:PATH";
    } else if (!target.substring(colon + 1).matches("[0-9]{1,5}")
        || Integer.parseInt(target.substring(colon + 1)) - 1 >= 65535
        || Integer.parseInt(target.substring(colon + 1)) == 0) {
      right = "the port is a number from 1 to 65535";
    } else {
      return target;
    }
    throw new IllegalArgumentException("'" + target + "' is no target: " + right);
  }

  private static String token(String told) {
    String token = (told == null ? "" : told).strip();
    // RFC 6750 allows less; a header takes this much. The token itself must not get into a message.
    if (!token.chars().allMatch(c -> c > ' ' && c < 0x7F)) {
      throw new IllegalArgumentException("a token is one word of printable ASCII characters");
    }
    return token;
  }

  /** What gRPC says of a connection that could not be made or broke, as a sentence with what to do. */
  String unreachable(String description, Throwable cause) {
    StringBuilder said = new StringBuilder(description);
    for (Throwable link = cause; link != null; link = link.getCause()) {
      said.append('\n').append(link);
    }
    String signs = said.toString();
    String sentence = sentence(signs);
    String detail = cause == null ? description : String.valueOf(rootOf(cause).getMessage());
    return sentence == null ? description : "cannot reach " + target + ": " + sentence + " (" + detail + ")";
  }

  /** What stands in gRPC's texts, most telling first; where its wording changes, the text is shown as it is. */
  private String sentence(String signs) {
    if (signs.contains("NotSslRecordException") || signs.contains("WRONG_VERSION_NUMBER")) {
      return "the server does not speak TLS there: leave tls, ca and certificate out";
    }
    if (signs.contains("CertificateExpired")) {
      return "the server's certificate has expired";
    }
    if (signs.contains("No name matching") || signs.contains("No subject alternative")) {
      return "the server's certificate is for another name; give serverName, the name that it is for";
    }
    if (signs.contains("PKIX path") || signs.contains("CertificateException")) {
      return "the server's certificate is not signed by an authority that this client trusts; give ca, the certificate of "
          + "the one that signed it";
    }
    if (signs.contains("Connection refused") || signs.contains("No such file")) {
      return "nothing listens there; is the server running (`callgate serve`)?";
    }
    if (signs.contains("UnknownHostException") || signs.contains("Unable to resolve host")) {
      return "there is no host of that name";
    }
    if (signs.contains("Network closed for unknown reason") || signs.contains("Connection reset")) {
      return !secure
          ? "the server hung up; it may speak TLS: give ca or tls(true)"
          : ownCertificate
              ? "the server hung up; it may not know the authority that signed this client's certificate"
              : "the server hung up; it may want a client certificate";
    }
    return null;
  }

  private static Throwable rootOf(Throwable error) {
    Throwable root = error;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root;
  }
}
