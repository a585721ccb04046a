# Callgate as a container: the server and its command line, and nothing of what built them.
#
#   docker run -p 50051:50051 callgate serve math --insecure           plain text, for a network that you trust
#   docker run -p 50051:50051 -v ./conf:/etc/callgate:ro callgate       as /etc/callgate/callgate.toml says
#
# docs/container.md tells the rest. `make image` builds this and proves that it serves.

# The builder has pip, the build backend, a C compiler and the sources; none of it is in the image.
FROM python:3.13-slim-bookworm AS builder
WORKDIR /build
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends gcc libc6-dev libnghttp2-dev \
 && rm -rf /var/lib/apt/lists/*

# The locks first: as long as they don't change, neither does this layer, and a change of ours rebuilds in seconds.
# --without-pip: what is served needs no installer. pip installs into it from outside.
COPY requirements/server.txt requirements/build.txt requirements/
RUN python -m venv --without-pip /opt/callgate \
 && python -m venv /opt/builder \
 && /opt/builder/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
 && /opt/builder/bin/python -m pip --python /opt/callgate/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r requirements/server.txt

# Our own wheel, with the locked backend (no isolated build, which would fetch an unlocked one).
COPY pyproject.toml README.md ./
COPY client/python client/python
COPY server server
RUN /opt/builder/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/builder/bin/python -m pip --python /opt/callgate/bin/python install --no-cache-dir --no-deps dist/*.whl

# The same base, so that the environment's interpreter is where it was. libnghttp2 is for the native transport.
FROM python:3.13-slim-bookworm
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libnghttp2-14 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=builder /opt/callgate /opt/callgate

# PATH: `callgate` and the functions' `python` are the environment's.
# CALLGATE_LISTEN: loopback, the server's own default, cannot be reached from outside a container, and `-p` would then
#   publish a port that nobody answers. Listening everywhere is said here, once, and does not open anything by itself:
#   without TLS and authentication the server refuses to start and says what to give it (or --insecure).
# PYTHONDONTWRITEBYTECODE: pip compiled what is installed; the user below may write nowhere.
ENV PATH=/opt/callgate/bin:$PATH \
    CALLGATE_LISTEN=0.0.0.0:50051 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
EXPOSE 50051

# Here the user's own modules are mounted: `serve mymodule.py` and imports find them.
WORKDIR /functions

# A number: Kubernetes' runAsNonRoot cannot see that a name is not root. It owns nothing in the image.
USER 10001:10001

# Through the server's own door, as a client would. Where it asks for a token, CALLGATE_TOKEN has one; where it
# speaks TLS, give a health check with --tls-ca (docs/container.md). Starting takes well under a second; 10 s are for
# functions whose imports are slow.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 CMD ["callgate", "health"]

# exec form: SIGTERM from `docker stop` reaches the server, which drains (10 s by default, as long as docker waits).
STOPSIGNAL SIGTERM
ENTRYPOINT ["callgate"]
CMD ["serve", "--config", "/etc/callgate/callgate.toml"]
