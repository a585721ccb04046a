package dev.callgate;

/**
 * One frame of a remote traceback.
 *
 * @param file the file on the server
 * @param line the line, from 1
 * @param function the function's qualified name
 * @param source the source line; empty if it is not known
 * @param repeated how many times more the frame came in a row (recursion)
 */
public record RemoteFrame(String file, int line, String function, String source, int repeated) {}
