"""Functions that end soon however they are called: by themselves, or when nobody waits any more."""

import asyncio
import time

from callgate import current_call


def echo(value):
    return value


async def echo_async(value):
    return value


def until_left(value):
    while not current_call().cancelled:
        time.sleep(0.001)


async def until_left_async(value):
    await asyncio.sleep(30)
