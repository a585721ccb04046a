/** The generated stubs, for those who want gRPC itself: `import { FunctionServiceClient } from "callgate/stubs"`. */

export * from "../gen/callgate/v1/function_service.js";
export { Value } from "../gen/callgate/v1/value.js";
export { ErrorReason, PythonException } from "../gen/callgate/v1/failure.js";
export { Status } from "../gen/google/rpc/status.js";
