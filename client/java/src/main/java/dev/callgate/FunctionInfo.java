package dev.callgate;

import dev.callgate.v1.Function;
import dev.callgate.v1.FunctionKind;
import java.time.Duration;
import java.util.List;

/**
 * What a server tells about a function.
 *
 * @param module its module, as a call names it
 * @param function its name
 * @param signature the signature as Python writes it; empty if Python cannot tell
 * @param parameters the parameters, in order; empty if Python cannot tell
 * @param returnType the return annotation as written; empty if it has none
 * @param doc the docstring
 * @param kind which kind of function it is, and so whether it is called or streamed
 * @param executor the name of the executor that runs it
 * @param executorKind the executor's kind: "serial", "processes", …
 * @param executorNote why the function runs elsewhere than the server's settings say; empty if it does not
 * @param timeout the server's own limit on a call's time; null if only the caller's counts
 */
public record FunctionInfo(
    String module,
    String function,
    String signature,
    List<ParameterInfo> parameters,
    String returnType,
    String doc,
    FunctionKind kind,
    String executor,
    String executorKind,
    String executorNote,
    Duration timeout) {
  static FunctionInfo of(Function message) {
    return new FunctionInfo(
        message.getModule(),
        message.getFunction(),
        message.getSignature(),
        message.getParametersList().stream().map(ParameterInfo::of).toList(),
        message.getReturnType(),
        message.getDoc(),
        message.getKind(),
        message.getExecutor(),
        message.getExecutorKind(),
        message.getExecutorNote(),
        message.hasTimeout()
            ? Duration.ofSeconds(message.getTimeout().getSeconds(), message.getTimeout().getNanos())
            : null);
  }
}
