"""The contract that every runtime keeps, in prose.

Next door: `engine` keeps it with a Docker engine, `memory` without one. One contract suite in the
tests checks both of them against what is written here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from controller.domain.events import (
    ContainerEvent,
    LogBatch,
    LogLine,
    LogPart,
    LogQuery,
    last_state,
)
from controller.domain.observation import ListedContainer, Observation
from controller.domain.spec import ContainerSpec
from controller.runtime.image_protocol import KeepsImages
from controller.runtime.parking import Parking
from controller.runtime.state_protocol import KeepsStates
from controller.runtime.usage_protocol import Measures


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What the engine says about itself, for the doctor and the health page."""

    version: str
    api_version: str
    os: str = ""
    rootless: bool = False
    security: tuple[str, ...] = ()
    live_restore: bool = False
    ahead: float = 0.0  # seconds that its clock is ahead of ours; negative when it's behind


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """A bot's volume that carries our instance label."""

    bot_id: str
    name: str
    created: float = 0.0  # seconds since the epoch, by the engine; 0: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkInfo:
    """The installation's network, and the networks that other installations left behind."""

    name: str
    subnet: str = ""  # empty: it doesn't exist, and none was set
    wanted: str = ""  # the subnet that was set, which a network gets when it's created
    fits: int  # how many bots can be in it
    leftovers: tuple[str, ...] = ()  # of other installations, without a container


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question about the host, put by a throw-away container as hardened as a bot's."""

    image: str
    user: str
    command: tuple[str, ...]
    secrets_source: str
    timeout: float = 20  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """How a program ended, and the end of its output: 4 KiB for a probe, 16 KiB for the others.

    `cut`, which `execute` and `rehearse` set, means that more was printed than `output` holds: it
    may begin in the middle of a secret.
    """

    exit_code: int
    output: str
    cut: bool = False

    @property
    def lines(self) -> list[LogLine]:
        """The output in lines, as a terminal shows them at the end; their time is unknown."""
        shown = map(last_state, self.output.split("\n"))
        return [LogLine(0.0, "stdout", text, begins=begins) for text, begins in shown]


class EventStream(Protocol):
    """An endless iterator of events. Close it when you're done, best with `contextlib.aclosing`."""

    def __aiter__(self) -> AsyncIterator[ContainerEvent]:
        """Return the stream itself."""
        ...

    async def __anext__(self) -> ContainerEvent:
        """Return the next event, however long that takes."""
        ...

    async def aclose(self) -> None:
        """End the stream, and with it any `anext` that is still waiting."""
        ...


class LogStream(Protocol):
    """A log that is followed. Close it when you're done, best with `contextlib.aclosing`."""

    def __aiter__(self) -> AsyncIterator[LogBatch]:
        """Return the stream itself."""
        ...

    async def __anext__(self) -> LogBatch:
        """Return what is complete, at least a line or the number of those that were dropped."""
        ...

    async def aclose(self) -> None:
        """End the stream, and with it any `anext` that is still waiting."""
        ...


class Runtime(Parking, KeepsStates, Measures, KeepsImages, Protocol):
    """Runs the containers of one installation, which its instance label identifies.

    Every method keeps these promises:

    - **Only what's ours.** A method lists, changes or removes only containers, volumes and networks
      that carry our instance label. If something without the label has a name we need, the method
      raises Conflict and leaves it alone.
    - **Checked ids.** `bot_id` is a canonical UUID. Anything else raises BadInput before the engine
      is asked.
    - **Unknown isn't failed.** When the engine can't be reached, or takes longer than the call's
      own limit, a read raises EngineUnavailable. A write raises OutcomeUnknown, since it may still
      happen; it raises EngineUnavailable only if it's certain that nothing was sent. The writes
      are create, start, rename, stop, restart, park, unpark, reseed, remove, remove_previous,
      remove_unstarted, remove_volume, keep_images, let_go, probe, execute, rehearse, save_state and
      fill_state.
    - **Busy isn't away.** A call that found no free thread raises EngineBusy. The engine was never
      asked then, and the time spent waiting doesn't count towards the call's limit.
    - **One kind of error.** Only a ControllerError comes out. If the engine refuses or fails for a
      reason that no method names here, it's a RuntimeTrouble with that reason, without host paths.
    - **A free event loop.** Nothing blocks it. Cancelling a call frees the caller, but doesn't stop
      what the engine is already doing.
    """

    def engine_time(self) -> float:
        """Return the engine's time now, in seconds since the epoch, from memory.

        All times in observations, events and log lines are the engine's, whose clock may differ
        from ours: compare them with this. It is right to a second once the engine has answered at
        all; where both clocks may agree, it's our own.
        """
        ...

    async def info(self) -> EngineInfo:
        """Ask the engine about itself. Raises EngineUnavailable."""
        ...

    async def list_containers(self) -> list[ListedContainer]:
        """List all our containers, whatever their state, in one cheap call without an inspect."""
        ...

    async def list_volumes(self) -> list[VolumeInfo]:
        """List all our volumes, to find those that belong to no bot."""
        ...

    async def observe(self, bot_id: str) -> Observation | None:
        """Inspect the bot's container. Returns None if it has none.

        Raises Conflict if a container with the bot's name lacks our labels.
        """
        ...

    async def has_volume(self, bot_id: str) -> bool:
        """Whether the bot's volume exists and is ours."""
        ...

    async def create(self, spec: ContainerSpec) -> str:
        """Create the bot's container, with its volume and our network, but don't start it.

        Returns the container's full id. Once the caller has given up nothing more is created,
        except what the engine was already asked for.

        If a container of that name exists and carries our labels for this bot, it is adopted,
        whatever its spec label says: the next look decides what to do with it. Raises ImageMissing,
        BadSpec or Conflict.

        The spec's seed files are in the volume before the container exists. Each is complete or
        missing, never half-written; it belongs to the spec's user and has mode 0600. New folders
        on the way to it belong to that user too and have mode 0700. A seed with `keep` is written
        only if nothing exists at its path. Any other seed replaces the file at its path; it raises
        BadSpec if a folder is there, or if one of the folders on its way is a file.
        """
        ...

    async def start(self, bot_id: str) -> bool:
        """Start or unpause the container. Does nothing if it's running.

        Returns whether it was paused.

        Raises NotFound if the container doesn't exist, and BadSpec with the engine's reason if it
        can't start as it is. A program that isn't in the image raises BadSpec only without `init`;
        with `init` the start succeeds, and the container exits at once with code 127.
        """
        ...

    async def rename(self, bot_id: str) -> bool:
        """Give the container its own name back, and return whether it had another.

        Every other call finds it by its labels too, so a renamed container is never replaced by a
        second one. Raises NotFound if the container doesn't exist, and Conflict if something else
        has its name.
        """
        ...

    async def stop(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109 - the engine's grace
        """Ask the program to end, kill it after `timeout` seconds, and return once it has ended.

        Does nothing if the container isn't running or doesn't exist.
        """
        ...

    async def restart(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the program with `timeout` seconds of grace and start it again.

        The container and its log are kept. Raises NotFound if the container doesn't exist.
        """
        ...

    async def remove(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Remove the container and its anonymous volumes; `timeout` is the grace if it's running.

        Succeeds if the container is already gone.
        """
        ...

    async def remove_unstarted(self, bot_id: str) -> bool:
        """Remove the bot's container if its program never ran. Returns whether it's gone now."""
        ...

    async def remove_volume(self, bot_id: str) -> None:
        """Remove the bot's named volume. Succeeds if it's already gone."""
        ...

    async def let_go(self, bot_id: str) -> None:
        """Give back what a bot needs only as long as it exists: call it once the rest is gone.

        The tags that kept the bot's images go, and with them images that have no other name. Our
        network goes with the last of our containers. Succeeds if nothing is left to give back.
        """
        ...

    async def network(self) -> NetworkInfo:
        """Say how many bots fit, and which networks of gone installations are left over."""
        ...

    async def logs(self, bot_id: str, query: LogQuery) -> LogPart:
        """Return the last lines that match the query, oldest first, at most 1 MiB of text.

        A query with `grep`, `since` or a single `stream` searches the last 5,000 entries of the
        log, or all since then if these are fewer; one with `until` goes back until it has enough
        lines. No query returns more than 5,000. The answer says how far it looked and whether
        there's more.

        Lines are joined from the log's entries and decoded (invalid bytes are replaced) before
        anything is matched. A line longer than 256 KiB is cut and ends in "…". Of a line that was
        written over, as progress bars are, the last state is returned. Where a line's beginning or
        end is missing, it says so. Raises NotFound if the container doesn't exist.
        """
        ...

    def follow(self, bot_id: str, since: float) -> LogStream:
        """Return the log of the bot's present container from `since` on, and what follows it.

        The last 5,000 entries at most come first, then each line once it is complete. The order is
        the log's own, the same for everybody who reads it, so a line is known by its time and its
        number among those of that time. The first line of each pipe may lack its beginning and
        says so. When nobody takes them, the oldest lines beyond 2 MiB are dropped and counted; so
        are the oldest of a log that is written faster than it can be read beside all others.

        The stream ends once the program has ended and all that it wrote was taken. It raises
        NotFound if the container doesn't exist, EngineUnavailable when the engine goes away, and
        it can be asked again from the last line's time on. Giving up on an `anext` loses nothing.
        """
        ...

    def events(self) -> EventStream:
        """Return the events of our containers, as a stream that never ends by itself.

        The stream starts with a "resync" event, and so it does after every reconnection. By then
        it is subscribed, so if you list the containers after a resync you miss nothing. While the
        engine is away the stream waits and keeps trying, pausing up to 5 s between tries. It never
        raises, and ends only when it is closed. When too many events are waiting to be read, one
        resync replaces them. Giving up on an `anext`, by a timeout for instance, loses nothing.
        """
        ...

    async def probe(self, probe: Probe) -> ProbeResult:
        """Run a throw-away container, which appears in no list, and remove it whatever happens.

        If it runs longer than its timeout it is killed, with exit code 137. Raises ImageMissing, or
        BadSpec, for instance if the mount's source doesn't exist.
        """
        ...

    async def execute(
        self,
        bot_id: str,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
        *,
        asked: bool = False,
    ) -> ProbeResult:
        """Run a program inside the bot's container, as its user, without input or a terminal.

        `asked` says that a person asked for it. Such programs may be slow and many, and they never
        delay those that the controller runs for its own purposes.

        The result holds the last 16 KiB of output. Stdout and stderr are mixed as they arrive;
        what is written to both at the same moment may swap places. A line that doesn't fit
        completely is left out. A program that isn't in the image ends with exit code 126 or 127.

        Raises NotFound if the container doesn't exist and NotReady ("not-running") if it isn't
        running. After `timeout` seconds it raises OutcomeUnknown ("action-timeout"): no engine can
        end a program inside a container, so it may still be running. Cancelling the call gives the
        program up in the same way, at once.
        """
        ...

    async def rehearse(
        self,
        spec: ContainerSpec,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
    ) -> ProbeResult:
        """Run a command once in a throw-away copy of the bot's container.

        Image, user, environment, limits, secrets, files and hardening are the spec's. Three things
        differ: `command` replaces the entrypoint and the command, the volume is an empty folder in
        memory, and there's no network. The container appears in no list and is removed whatever
        happens. If it runs longer than `timeout` seconds it is killed, with exit code 137. Raises
        ImageMissing or BadSpec.
        """
        ...

    async def image_has(self, image: str, paths: tuple[str, ...]) -> frozenset[str]:
        """Return those of these absolute paths that exist in the image, without running it.

        The image is never pulled for this. Raises ImageMissing if it isn't on this machine.
        """
        ...

    async def sweep(self) -> None:
        """Remove the throw-away containers that dead controllers left behind, whatever their age.

        Call it at start-up, while nobody else creates any: a rehearsal that is still running holds
        the bot's secrets.
        """
        ...

    async def mounts_of(self, container: str) -> tuple[tuple[str, str, str], ...]:
        """Return any container's mounts as (type, source, destination), to find our own.

        The container needs no label of ours. Raises NotFound if it doesn't exist.
        """
        ...

    async def close(self) -> None:
        """Release threads and sockets. Containers keep running."""
        ...
