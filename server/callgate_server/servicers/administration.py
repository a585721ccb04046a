"""AdminService: what operators ask of a running server."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import structlog

from callgate.failures import gate_failure
from callgate.v1 import admin_service_pb2 as pb
from callgate_server.loading import ModuleFailed
from callgate_server.policy import PolicyError
from callgate_server.servicers.rpc import Handlers, plain_handler
from callgate_server.settings import SettingsError

__all__ = ["ADMIN_SERVICE", "AdminServicer"]

audit = structlog.get_logger("callgate.audit")

ADMIN_SERVICE = "callgate.v1.AdminService"


class AdminServicer:
    """The service's methods.

    Args:
        reload: loads the user's modules anew; returns how many functions are exposed.
        may_administer: whether an identity may.
        identity_of: tells who makes an RPC.
    """

    def __init__(
        self,
        reload: Callable[[], int],
        may_administer: Callable[[str], bool],
        identity_of: Callable[[grpc.ServicerContext], str],
    ) -> None:
        self._reload = reload
        self._may_administer = may_administer
        self._identity_of = identity_of

    def handlers(self) -> Handlers:
        """The service's method handlers by name, over bytes."""
        handler = plain_handler(pb.ReloadFunctionsRequest, self.reload_functions, self._identity_of)
        return {"ReloadFunctions": grpc.unary_unary_rpc_method_handler(handler)}

    def reload_functions(self, request: pb.ReloadFunctionsRequest, identity: str) -> pb.ReloadFunctionsResponse:
        """ReloadFunctions."""
        if not self._may_administer(identity):
            audit.warning("refused", reason="PERMISSION_DENIED", identity=identity, method="ReloadFunctions")
            raise gate_failure(
                "PERMISSION_DENIED",
                f"{identity} may not administer this server; its settings name who may (auth.administrators)",
            )
        audit.info("reload", identity=identity)
        try:
            return pb.ReloadFunctionsResponse(functions=self._reload())
        except ModuleFailed as error:
            last = error.trace.strip().rpartition("\n")[2]
            raise gate_failure("RELOAD_FAILED", f"{error}: {last}; the old code stays in use") from error
        except (PolicyError, SettingsError) as error:
            raise gate_failure("RELOAD_FAILED", f"{error}; the old code stays in use") from error
