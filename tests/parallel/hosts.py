"""Two machines in one: network namespaces with a cable between them (Linux, as root)."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def possible() -> str:
    """Why there can be none here; empty where there can."""
    if sys.platform != "linux" or os.geteuid():
        return "network namespaces are made by root, on Linux"
    name = f"probe{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False, text=True)
    if made.returncode:
        return f"no network namespaces here: {made.stderr.strip()}"
    _ip("netns", "delete", name)
    return ""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


class TwoHosts:
    """Hosts 0 (10.93.0.1) and 1 (10.93.0.2); each runs commands in its own folder."""

    def __init__(self) -> None:
        unique = uuid.uuid4().hex[:6]
        self.names = [f"caffe{unique}{end}" for end in "ab"]
        self.links = [f"v{unique}{end}" for end in "ab"]
        for name in self.names:
            _ip("netns", "add", name)
        _ip("link", "add", self.links[0], "type", "veth", "peer", "name", self.links[1])
        for index, (name, link) in enumerate(zip(self.names, self.links, strict=True)):
            _ip("link", "set", link, "netns", name)
            _ip("-n", name, "addr", "add", f"{self.address(index)}/24", "dev", link)
            _ip("-n", name, "link", "set", link, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        self.processes: list[subprocess.Popen] = []

    @staticmethod
    def address(host: int) -> str:
        """The host's address, which the other reaches it by."""
        return f"10.93.0.{host + 1}"

    def start(self, host: int, arguments: list[str], folder: Path, **environment: str) -> subprocess.Popen:
        """Python with these arguments on a host; stderr and stdout go to the file `log` in its folder."""
        command = ["ip", "netns", "exec", self.names[host], sys.executable, *arguments]
        settings = {
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'data_layers'}",
        }
        with (folder / "log").open("a") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**settings, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def cable(self, *, plugged: bool) -> None:
        """Cut the cable, or plug it in again."""
        _ip("-n", self.names[0], "link", "set", self.links[0], "up" if plugged else "down")

    def slow(self, rate: int) -> None:
        """Give the cable a rate, in Mbit/s each way."""
        for name, link in zip(self.names, self.links, strict=True):
            shape = ["tbf", "rate", f"{rate}mbit", "burst", f"{max(64, rate)}kb", "latency", "400ms"]
            _ip("netns", "exec", name, "tc", "qdisc", "replace", "dev", link, "root", *shape)

    def close(self) -> None:
        """End what runs, and take the hosts away."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()
        for name in self.names:
            listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
            for pid in listed.stdout.split():
                os.kill(int(pid), 9)
            _ip("netns", "delete", name)
