# SPDX-License-Identifier: MIT
"""Ports of this machine for servers to listen on; tests/unit/free_port.h has the same for tests in C."""
import random
import socket

_reserved = []


def free_port():
    """A port below the ephemeral range (where a dial cannot connect to itself), ours until we end: the UDP
    port of the same number is held, so that tests running beside us pass it over."""
    for _ in range(1000):
        port = random.randrange(18000, 32000)
        lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            lock.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                probe.listen(1)
        except OSError:
            lock.close()
            continue
        _reserved.append(lock)
        return port
    raise RuntimeError("no free port")


def free_ports_again():
    """Lets go of the ports of a test that is over."""
    while _reserved:
        _reserved.pop().close()
