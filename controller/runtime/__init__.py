"""What runs containers: the `Runtime` promise, the engine that keeps it, and an in-memory one.

`protocol` holds the promise in prose; `engine` keeps it with docker-py, `memory` without anything;
one contract suite in the tests holds both to it. Only this package imports the Docker client.
"""

from controller.runtime.protocol import (
    EngineInfo,
    EventStream,
    Probe,
    ProbeResult,
    Runtime,
    VolumeInfo,
)

__all__ = ["EngineInfo", "EventStream", "Probe", "ProbeResult", "Runtime", "VolumeInfo"]
