"""What runs containers: the `Runtime` contract, an engine that keeps it, and an in-memory twin.

`protocol` states the contract in prose. `engine` keeps it with docker-py, `memory` without any
engine, and one contract suite in the tests holds both to it. Only this package imports the Docker
client.
"""

from controller.runtime.protocol import (
    EngineInfo,
    EventStream,
    LogStream,
    NetworkInfo,
    Probe,
    ProbeResult,
    Runtime,
    VolumeInfo,
)
from controller.runtime.pulling import Told, untold
from controller.runtime.usage_protocol import Sizes

__all__ = [
    "EngineInfo",
    "EventStream",
    "LogStream",
    "NetworkInfo",
    "Probe",
    "ProbeResult",
    "Runtime",
    "Sizes",
    "Told",
    "VolumeInfo",
    "untold",
]
