package dev.callgate;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A real server of the tests' own: the environment's CALLGATE, else the repository's ../../.venv/bin/callgate. */
final class CallgateServer implements AutoCloseable {
  private static final Path REPOSITORY = Path.of("..", "..").toAbsolutePath().normalize();
  private static final String FUNCTIONS = REPOSITORY.resolve("tests/conformance/functions").toString();
  private static final String CONFIGURATION = Path.of("src/test/resources/server.toml").toAbsolutePath().toString();
  private static final Pattern SERVES = Pattern.compile("serves on (\\S+)");

  private static CallgateServer shared;

  private final Process process;
  private final String target;

  private CallgateServer(String address) {
    List<String> command = List.of(
        executable(), "serve", "--config", CONFIGURATION, "--path", FUNCTIONS, "--path", REPOSITORY.toString(),
        "--listen", address);
    try {
      process = new ProcessBuilder(command).directory(REPOSITORY.toFile()).redirectErrorStream(true).start();
      BufferedReader output =
          new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
      target = firstTarget(output);
      // A pipe that nobody reads would stop the server one day.
      Thread drain = new Thread(() -> output.lines().forEach(line -> {}), "server-output");
      drain.setDaemon(true);
      drain.start();
    } catch (IOException error) {
      throw new IllegalStateException("the server does not start: " + String.join(" ", command), error);
    }
  }

  private String firstTarget(BufferedReader output) throws IOException {
    StringBuilder said = new StringBuilder();
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      Matcher serves = SERVES.matcher(line);
      if (serves.find()) {
        return serves.group(1);
      }
      said.append(line).append('\n');
    }
    throw new IllegalStateException("the server ended before it served:\n" + said);
  }

  private static String executable() {
    String told = System.getenv("CALLGATE");
    Path file = told != null ? Path.of(told) : REPOSITORY.resolve(".venv/bin/callgate");
    if (!Files.isExecutable(file)) {
      throw new IllegalStateException(
          "no Callgate server at " + file + ": run `make .venv/.dev` at the top, or set CALLGATE to the command");
    }
    return file.toString();
  }

  /** The one that most tests share; it ends with the tests. */
  static synchronized CallgateServer shared() {
    if (shared == null) {
      shared = start();
      Runtime.getRuntime().addShutdownHook(new Thread(shared::close));
    }
    return shared;
  }

  /** One on a free port. */
  static CallgateServer start() {
    return at("127.0.0.1:0");
  }

  /** One at an address. */
  static CallgateServer at(String address) {
    return new CallgateServer(address);
  }

  String target() {
    return target;
  }

  Gate connect() {
    return Gate.builder(target).token("").connect();
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException interrupted) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
