package dev.callgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's program is compiled and run as it stands there. */
class ReadmeTest {
  private static final Pattern PROGRAM = Pattern.compile("```java\n(import .*?)```", Pattern.DOTALL);

  @Test
  void theProgramInTheReadmePrintsWhatItShould(@TempDir Path folder) throws Exception {
    Matcher program = PROGRAM.matcher(Files.readString(Path.of("README.md")));
    assertTrue(program.find(), "the README has a program");
    Path source = Files.writeString(folder.resolve("Example.java"), program.group(1));
    String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    String[] options = {"-Xlint:all", "-Werror", "-proc:none", "-cp", classPath, "-d", folder.toString(), source.toString()};
    ByteArrayOutputStream complaints = new ByteArrayOutputStream();
    assertEquals(
        0, ToolProvider.getSystemJavaCompiler().run(null, complaints, complaints, options), complaints::toString);

    PrintStream standard = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader())) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      String[] arguments = {CallgateServer.shared().target()};
      loader.loadClass("Example").getMethod("main", String[].class).invoke(null, (Object) arguments);
    } finally {
      System.setOut(standard);
    }
    String[] lines = printed.toString(StandardCharsets.UTF_8).split("\n");
    assertEquals("4.0", lines[0]);
    assertEquals("0.6", lines[1]);
    assertEquals("3 2 1", String.join(" ", lines[2], lines[3], lines[4]));
    assertEquals("2.0", lines[5]);
    assertTrue(lines[6].contains("ValueError"), lines[6]);
    assertEquals("[1, \"x\"]", lines[7]);
    assertTrue(lines[8].startsWith("false ValueError: "), lines[8]);
    assertEquals(9, lines.length);
  }

  @Test
  void theDependencyInTheReadmeIsThisVersion() throws Exception {
    Matcher pom = Pattern.compile("<artifactId>callgate-client</artifactId>\\s*<version>(.*?)</version>").matcher(
        Files.readString(new File("pom.xml").toPath()));
    assertTrue(pom.find());
    assertTrue(Files.readString(Path.of("README.md")).contains("<version>" + pom.group(1) + "</version>"));
  }
}
