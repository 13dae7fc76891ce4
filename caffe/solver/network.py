"""The network interface of a machine that leads to the other solvers."""

import os
import socket
import struct

INTERFACE = "GLOO_SOCKET_IFNAME"


def choose() -> None:
    """Let gloo use the network that leads to MASTER_ADDR, unless GLOO_SOCKET_IFNAME says which.

    By itself it takes the one that the machine's own name stands for, often the loopback, where nobody else is.
    """
    master = os.environ.get("MASTER_ADDR")
    if not master or INTERFACE in os.environ:
        return
    name = leading_to(master)
    if name:
        os.environ[INTERFACE] = name


def leading_to(host: str) -> str | None:
    """The name of the interface from which an IPv4 host is reached; None if that is the loopback, or unknown."""
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))  # sends nothing
            own = probe.getsockname()[0]
            for _, name in socket.if_nameindex():
                request = struct.pack("256s", name.encode()[:15])
                try:
                    answer = fcntl.ioctl(probe.fileno(), 0x8915, request)  # SIOCGIFADDR
                except OSError:  # has no address
                    continue
                if socket.inet_ntoa(answer[20:24]) == own and not own.startswith("127."):
                    return name
    except (ImportError, OSError):
        return None
    return None
