"""How a call fails, on the wire and in Python: the one place where exceptions become `google.rpc.Status` and back.

    status.py    gate_status(reason, …)      getting to the function failed
    raised.py    exception_status(error, …)  the function raised; cut to fit by fit.py
    rebuild.py   error_from_status(status)   the exception that the client raises for either

Needs protobuf and no grpc. What reads an exception needs neither: `callgate.described`.
"""

from callgate.failures.raised import described_status, exception_status
from callgate.failures.rebuild import error_from_status
from callgate.failures.status import DOMAIN, REASON_CODES, CallFailed, gate_failure, gate_status

__all__ = [
    "DOMAIN",
    "REASON_CODES",
    "CallFailed",
    "described_status",
    "error_from_status",
    "exception_status",
    "gate_failure",
    "gate_status",
]
