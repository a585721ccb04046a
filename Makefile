# What builds, checks, ships and measures Callgate. `make help` lists it.
# Strictness after https://tech.davis-hansson.com/p/make/
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables
MAKEFLAGS += --no-builtin-rules
MAKEFLAGS += --no-print-directory

# What `make run` serves, and where.
TARGETS ?= math statistics json.dumps json.loads builtins.len builtins.abs builtins.sum examples/
LISTEN ?= 127.0.0.1:50051
# Further arguments: make test ARGS='-k turn -x', make bench ARGS=gate, make loadtest ARGS='--time 10s'
ARGS ?=
FUZZ_SECONDS ?= 60
IMAGE ?= callgate

ENVIRONMENT := requirements/environment.sh
# What is compiled, where there is a compiler: see client/python/build_compiled.py.
COMPILED := client/python/callgate/_wakeups.c client/python/callgate/values/_compiled.c client/python/callgate/http2/_session.c
HEADERS := $(wildcard client/python/callgate/http2/*.h)
# Anything that changes what an environment holds makes it anew.
SOURCES_OF_ENVIRONMENT := $(ENVIRONMENT) pyproject.toml requirements/build.txt client/python/build_compiled.py $(COMPILED) $(HEADERS)
PROTOS := $(wildcard protos/callgate/v1/*.proto)
PYTHON_TREES := client/python server tests loadtest examples requirements

.PHONY: help
help: ## List what make can do
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Two stages of one environment: the server's packages, which `make run` waits for, and the developers' on top.
.venv/.server: $(SOURCES_OF_ENVIRONMENT) requirements/server.txt
	@$(ENVIRONMENT) --with-callgate .venv build server
	@touch $@

.venv/.dev: $(SOURCES_OF_ENVIRONMENT) requirements/server.txt requirements/dev.txt
	@$(ENVIRONMENT) --with-callgate .venv build dev
	@touch .venv/.server $@

.venv-3.11/.dev: $(SOURCES_OF_ENVIRONMENT) requirements/dev.txt
	@$(ENVIRONMENT) --python 3.11 --with-callgate .venv-3.11 build dev
	@touch $@

.venv-loadtest/.loadtest: $(SOURCES_OF_ENVIRONMENT) requirements/loadtest.txt
	@$(ENVIRONMENT) --with-callgate .venv-loadtest build loadtest
	@touch $@

.venv-fuzz/.fuzz: $(SOURCES_OF_ENVIRONMENT) requirements/fuzz.txt
	@$(ENVIRONMENT) --with-callgate .venv-fuzz build fuzz
	@touch $@

.venv-peers/.peers: $(SOURCES_OF_ENVIRONMENT) requirements/peers.txt
	@$(ENVIRONMENT) .venv-peers build peers
	@touch $@

.venv-peers-ray/.peers-ray: $(SOURCES_OF_ENVIRONMENT) requirements/peers-ray.txt
	@$(ENVIRONMENT) .venv-peers-ray build peers-ray
	@touch $@

.build/stubs-venv/.stubs: $(ENVIRONMENT) requirements/stubs.txt
	@mkdir -p .build
	@$(ENVIRONMENT) .build/stubs-venv stubs
	@touch $@

.build/lock-venv/.lock: $(ENVIRONMENT) requirements/lock.txt
	@mkdir -p .build
	@$(ENVIRONMENT) .build/lock-venv lock
	@touch $@

.PHONY: run
run: .venv/.server ## Serve a few functions on 127.0.0.1:50051 until Ctrl-C (TARGETS=, LISTEN=)
	@# At a terminal the server gets a job of its own (set -m): Ctrl-C reaches it and not make, which would answer by
	@# dying of the signal; so the server's exit code, 0 after draining, is make's. Elsewhere exec: no shell in between.
	@serve=(.venv/bin/callgate serve $(TARGETS) --listen $(LISTEN)); \
	  if [[ -t 0 ]]; then set -m; "$${serve[@]}"; else exec "$${serve[@]}"; fi

.PHONY: test
test: .venv/.dev ## Run every test (ARGS='-m "not slow"')
	.venv/bin/python -m pytest $(ARGS)

.PHONY: test-3.11
test-3.11: .venv-3.11/.dev # Run the unit and contract tests on the oldest Python
	.venv-3.11/bin/python -m pytest tests/unit tests/contract $(ARGS)

# What holds for one language's client by itself; client/python has no Makefile: its checks are this one's.
CLIENT_CHECKS ?= stubs-check lint test runner
CLIENTS := $(patsubst client/%/Makefile,%,$(wildcard client/*/Makefile))

client-%: .venv/.dev # Check, build and play the conformance cases in one language: make client-go
	$(MAKE) -C client/$* $(CLIENT_CHECKS)
	.venv/bin/python -m tests.conformance --language $* $(ARGS)

.PHONY: test-clients
test-clients: .venv/.dev ## Check every language's client, and play all conformance cases in all of them
	@for client in $(CLIENTS); do echo "== client/$$client"; $(MAKE) -C client/$$client $(CLIENT_CHECKS); done
	.venv/bin/python -m tests.conformance --require-all $(ARGS)

.PHONY: lint
lint: .venv/.dev stubs-check ## Lint, format check, type check, contract lint, generated code
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/buf lint protos
	@requirements/contract-breaking.sh .venv/bin/buf

.PHONY: format
format: .venv/.dev ## Format the code and mend what ruff can mend
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# $(call generate,FOLDER): Python stubs from the contract. Only the services file has a service in it.
define generate
	.build/stubs-venv/bin/python -m grpc_tools.protoc -Iprotos \
	  --python_out=$(1) --pyi_out=$(1) --grpc_python_out=$(1) $(PROTOS)
	rm $(1)/callgate/v1/{failure,function,value}_pb2_grpc.py
endef

.PHONY: stubs
stubs: .build/stubs-venv/.stubs ## Generate every language's stubs from protos/
	$(call generate,client/python)
	@for client in $(CLIENTS); do $(MAKE) -C client/$$client stubs; done

.PHONY: stubs-check
stubs-check: .build/stubs-venv/.stubs # Fail if the committed stubs are not what the contract gives
	@rm -rf .build/stubs && mkdir -p .build/stubs
	@$(call generate,.build/stubs)
	@diff -r --exclude=__pycache__ --exclude=__init__.py .build/stubs/callgate/v1 client/python/callgate/v1 || \
	  { echo "the stubs in client/python/callgate/v1 differ from the contract: run make stubs" >&2; exit 1; }

.PHONY: lock
lock: .build/lock-venv/.lock ## Refresh the locks in requirements/ to the newest releases
	requirements/lock.sh .build/lock-venv/bin/uv

.PHONY: bench
bench: .venv/.dev .venv-peers/.peers ## Measure, write loadtest/bench/results.json and README's table (ARGS='gate values')
	.venv/bin/python -m loadtest.bench $(ARGS)

# Ray is large, and not for every platform: without it the rest is measured, and the results say so.
.PHONY: peers
peers: .venv/.dev .venv-peers/.peers ## Measure Callgate beside RPyC, Pyro5, Ray and others (ARGS=--quick, ARGS=--help)
	@$(MAKE) .venv-peers-ray/.peers-ray || rm -rf .venv-peers-ray
	.venv/bin/python -m loadtest.peers $(ARGS)

.PHONY: growth
growth: .venv/.dev .venv-peers/.peers ## Measure callers, functions and payloads that grow (ARGS=--quick)
	.venv/bin/python -m loadtest.peers growth $(ARGS)

.PHONY: loadtest
loadtest: .venv/.server .venv-loadtest/.loadtest ## Load a server for a minute, report into loadtest/results/
	.venv-loadtest/bin/python -m loadtest --callgate .venv/bin/callgate $(ARGS)

.PHONY: fuzz
fuzz: .venv-fuzz/.fuzz ## Fuzz what takes bytes from strangers: values, HTTP/2 (FUZZ_SECONDS=60 for each)
	.venv-fuzz/bin/python -m tests.fuzz.decode_value $(FUZZ_SECONDS) $(ARGS)
	.venv-fuzz/bin/python -m tests.fuzz.receive_http2 $(FUZZ_SECONDS) $(ARGS)

.PHONY: image
image: ## Build the container image, and prove that it serves (IMAGE=callgate)
	tests/container/check.sh $(IMAGE)

.PHONY: clean
clean: ## Delete what make made: environments, caches, results
	rm -rf .venv .venv-3.11 .venv-loadtest .venv-fuzz .venv-peers .venv-peers-ray .build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis loadtest/results
	rm -f $(COMPILED:.c=.*.so)
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
