"""Functions that tell where they run; any Python since 3.11."""

import importlib.util
import sys


def paths():
    return [sys.executable, sys.prefix, list(sys.path)]


def can_import(name):
    return importlib.util.find_spec(name) is not None


def implementation():
    from google.protobuf.internal import api_implementation

    return api_implementation.Type()


def add(a, b):
    return a + b
