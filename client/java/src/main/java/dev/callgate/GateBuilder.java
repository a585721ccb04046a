package dev.callgate;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;

/** How a {@link Gate} is to be connected; made by {@link Gate#builder}. */
public final class GateBuilder {
  /** The largest that a server can be set to take: what is too large is the server's to say. */
  private static final int DEFAULT_MAX_MESSAGE = 1 << 30;

  /** Below the server's default admission limit of 128, so that one client's flood waits here instead of being shed. */
  private static final int DEFAULT_IN_FLIGHT = 100;

  private static final int LARGEST_MESSAGE = Integer.MAX_VALUE - 4096; // room for gRPC's own

  final String target;
  Duration timeout;
  Boolean tls;
  Path ca;
  Path certificate;
  Path key;
  String serverName;
  String token = System.getenv("CALLGATE_TOKEN");
  int maxMessage = DEFAULT_MAX_MESSAGE;
  int inFlight = DEFAULT_IN_FLIGHT;

  GateBuilder(String target) {
    this.target = Objects.requireNonNull(target, "target");
  }

  /**
   * How long a call may take unless it says otherwise.
   *
   * @param timeout 0 or more; null, the default, for no limit
   * @return this
   */
  public GateBuilder timeout(Duration timeout) {
    this.timeout = Call.checked(timeout);
    return this;
  }

  /**
   * Whether to use TLS; by default, if {@link #ca} or {@link #certificate} is given.
   *
   * @param tls true for TLS, with the JVM's own authorities unless a ca is given
   * @return this
   */
  public GateBuilder tls(boolean tls) {
    this.tls = tls;
    return this;
  }

  /**
   * Who signs the server's certificate.
   *
   * @param ca a PEM file
   * @return this
   */
  public GateBuilder ca(Path ca) {
    this.ca = ca;
    return this;
  }

  /**
   * The client's own certificate, for mutual TLS.
   *
   * @param certificate a PEM file, which may hold the chain
   * @param key its key: a PEM file, PKCS#8
   * @return this
   */
  public GateBuilder certificate(Path certificate, Path key) {
    this.certificate = Objects.requireNonNull(certificate, "certificate");
    this.key = Objects.requireNonNull(key, "key");
    return this;
  }

  /**
   * The name in the server's certificate, where it is not the target's.
   *
   * @param serverName the name
   * @return this
   */
  public GateBuilder serverName(String serverName) {
    this.serverName = serverName;
    return this;
  }

  /**
   * A bearer token; by default the environment's CALLGATE_TOKEN.
   *
   * @param token the token; null or empty for none
   * @return this
   */
  public GateBuilder token(String token) {
    this.token = token;
    return this;
  }

  /**
   * The largest message to send or take; the server's own limit holds beside it.
   *
   * @param bytes 1 GiB unless set
   * @return this
   */
  public GateBuilder maxMessage(int bytes) {
    this.maxMessage = inRange(bytes, LARGEST_MESSAGE, "maxMessage");
    return this;
  }

  /**
   * How many calls may be on their way at once; more wait in this client, in order.
   *
   * @param calls 100 unless set
   * @return this
   */
  public GateBuilder inFlight(int calls) {
    this.inFlight = inRange(calls, Integer.MAX_VALUE, "inFlight");
    return this;
  }

  private static int inRange(int number, int most, String what) {
    if (number < 1 || number > most) {
      throw new IllegalArgumentException(what + " is " + number + "; 1 to " + most + " is right");
    }
    return number;
  }

  /**
   * Makes the Gate. It connects with the first call.
   *
   * @return the Gate; close it
   * @throws IllegalArgumentException if what was told contradicts itself, or a file cannot be used
   */
  public Gate connect() {
    return new Gate(this);
  }
}
