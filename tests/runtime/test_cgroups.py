"""The kernel's files about containers, of both versions; what is missing is unknown, not zero."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.runtime.cgroups import Cgroups

IDENT = "ab" * 32
OTHER = "cd" * 32


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def network(proc: Path) -> None:
    head = "Inter-|   Receive\n face |bytes packets\n"
    rows = "    lo: 999 1 0 0 0 0 0 0 999 1 0\n  eth0: 1500 9 0 0 0 0 0 0 700 5 0\n"
    write(proc, {"77/net/dev": head + rows})


def version_one(root: Path, place: str) -> None:
    write(
        root,
        {
            f"memory/{place}/memory.usage_in_bytes": "5000\n",
            f"memory/{place}/memory.limit_in_bytes": "268435456\n",
            f"memory/{place}/memory.stat": "cache 9\ntotal_inactive_file 1000\n",
            f"memory/{place}/cgroup.procs": "77\n78\n",
            f"cpuacct/{place}/cpuacct.usage": "2500000000\n",
            f"blkio/{place}/blkio.throttle.io_service_bytes": (
                "254:0 Read 40\n254:0 Write 60\n254:0 Total 100\n254:16 Write 1\nTotal 101\n"
            ),
        },
    )


def version_two(root: Path, place: str) -> None:
    write(
        root,
        {
            "cgroup.controllers": "cpu io memory pids\n",
            f"{place}/memory.current": "5000\n",
            f"{place}/memory.max": "268435456\n",
            f"{place}/memory.stat": "anon 9\ninactive_file 1000\n",
            f"{place}/cgroup.procs": "77\n",
            f"{place}/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
            f"{place}/io.stat": "254:0 rbytes=40 wbytes=61 rios=1\n",
        },
    )


@pytest.mark.parametrize("place", ["docker/{}", "system.slice/docker-{}.scope"])
@pytest.mark.parametrize("made", [version_one, version_two])
def test_a_container_is_read_in_either_version_and_place(
    tmp_path: Path, made: object, place: str
) -> None:
    """Memory without what the system can drop; the loopback isn't the network."""
    made(tmp_path / "cg", place.format(IDENT))  # type: ignore[operator]
    network(tmp_path / "proc")
    found = Cgroups(tmp_path / "cg", tmp_path / "proc").read({"a": IDENT, "b": OTHER})
    assert set(found) == {"a"}
    one = found["a"]
    assert (one.cpu, one.memory, one.limit) == (2.5, 4000, 268435456)
    assert (one.received, one.sent, one.read, one.written) == (1500, 700, 40, 61)


def test_no_limit_is_none_and_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """A process that has just ended, and a kernel without accounts of disks."""
    version_two(tmp_path, f"docker/{IDENT}")
    (tmp_path / f"docker/{IDENT}/memory.max").write_text("max\n")
    (tmp_path / f"docker/{IDENT}/io.stat").unlink()
    (one,) = Cgroups(tmp_path, tmp_path / "proc").read({"a": IDENT}).values()
    assert (one.limit, one.received, one.sent, one.read, one.written) == (0, *[None] * 4)


def test_one_that_ends_meanwhile_is_left_out(tmp_path: Path) -> None:
    """Its folder is there, its files are not."""
    version_one(tmp_path, f"docker/{IDENT}")
    (tmp_path / f"memory/docker/{OTHER}").mkdir()
    assert set(Cgroups(tmp_path).read({"gone": OTHER, "a": IDENT})) == {"a"}
