"""gRPC over HTTP/2 without I/O, compiled on nghttp2: what the `native` transports of server and client stand on.

`session.Session` is one connection; it is there where the wheel was built with a C compiler and nghttp2's headers.
"""
