"""Ports that stay free until a slow server listens."""

import contextlib
import random
import socket
from pathlib import Path

from benchmarks.failures import ServerFailed
from benchmarks.http_client import HOST

# Beyond those that Ray gives to its workers.
LEAST_PORT = 20_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def lasting_port() -> int:
    """
    A free port that the kernel gives to nobody as a connection's own.

    A peer that takes half a minute to listen, and connects its processes by hundreds of ports, may else find it taken.
    """
    lowest = int(EPHEMERAL.read_text().split()[0])
    for port in random.sample(range(LEAST_PORT, lowest), lowest - LEAST_PORT):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            return port
    raise ServerFailed("no port is free")
