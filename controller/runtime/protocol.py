"""The promise that every runtime keeps, in prose. Its keepers are next door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from controller.domain.events import ContainerEvent, LogLine, LogQuery
from controller.domain.observation import ListedContainer, Observation
from controller.domain.spec import ContainerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What answers: for the doctor and the health page."""

    version: str
    api_version: str
    os: str = ""
    rootless: bool = False
    security: tuple[str, ...] = ()
    live_restore: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """A volume that carries our instance label."""

    bot_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A throw-away container, as hardened as a bot's, for one question about the host."""

    image: str
    user: str
    command: tuple[str, ...]
    secrets_source: str
    timeout: float = 20  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """How a program ended, and the end of what it printed: 4 KiB of a probe, 16 KiB of others.

    `cut` says of a command in a bot that it printed more: a secret may be cut through at the start.
    """

    exit_code: int
    output: str
    cut: bool = False


class EventStream(Protocol):
    """An endless iterator of events that has to be closed (`contextlib.aclosing`)."""

    def __aiter__(self) -> AsyncIterator[ContainerEvent]:
        """Itself."""
        ...

    async def __anext__(self) -> ContainerEvent:
        """The next event, however long that takes."""
        ...

    async def aclose(self) -> None:
        """End it: an `anext` that waits ends too."""
        ...


class Runtime(Protocol):
    """Runs the containers of one installation, known by its instance label.

    Promises that hold for every method:

    - Only containers, volumes and networks with our instance label are listed, changed or removed.
      A thing with our name and without the label is answered with Conflict, and left alone.
    - `bot_id` is a canonical UUID; anything else raises BadInput before the engine is asked.
    - An engine that cannot be reached, or hangs longer than the call's own limit, raises
      EngineUnavailable for reads. For writes it raises OutcomeUnknown unless it is certain that
      nothing was sent. No other exception than a ControllerError comes out.
    - Nothing blocks the event loop. Cancelling a call gives the caller up, not the engine's work.
    """

    async def info(self) -> EngineInfo:
        """Ask the engine who it is. Raises EngineUnavailable."""
        ...

    async def list_containers(self) -> list[ListedContainer]:
        """Every container of ours in one cheap call, whatever its state. No inspect."""
        ...

    async def list_volumes(self) -> list[VolumeInfo]:
        """Every volume of ours, for the search for orphans."""
        ...

    async def observe(self, bot_id: str) -> Observation | None:
        """Look at one bot's container; None when there is none of ours.

        Raises Conflict when a container has the bot's name without our labels.
        """
        ...

    async def has_volume(self, bot_id: str) -> bool:
        """Whether the bot's volume exists (and is ours)."""
        ...

    async def pin_image(self, ref: str, pull: str) -> str:
        """Resolve a reference to an id or digest that cannot move.

        `pull`: "missing" pulls when it is not here, "always" tries first and falls back to what is
        here, "never" does not. Raises ImageMissing with the reason.
        """
        ...

    async def create(self, spec: ContainerSpec) -> str:
        """Make the container (and our network, and its volume) without starting it; its full id.

        Adopts a container of that name that carries our labels for this bot, whatever its spec
        label: the next look decides. Raises ImageMissing, BadSpec, Conflict.

        The spec's seeds are in the volume before the container exists: each file the user's own,
        mode 0600, whole or not there at all; folders that had to be made are the user's, 0700.
        A seed to be kept is only written where nothing is; any other takes the place of the file
        that is there, and is BadSpec where a folder is, or where one of its folders is a file.
        """
        ...

    async def start(self, bot_id: str) -> None:
        """Start or unpause it; nothing happens when it runs. Raises BadSpec with the engine's
        reason when the container cannot be started as it is, NotFound when it is gone.

        A program that is not in the image is BadSpec only without `init`; with it the start
        succeeds, and the container ends at once with exit code 127.
        """
        ...

    async def stop(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109 - the engine's grace
        """Ask it to end, kill it after `timeout` seconds, return when it ended.

        Nothing happens when it does not run or does not exist.
        """
        ...

    async def restart(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop with that grace and start again, keeping the container and its log."""
        ...

    async def remove(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop it with that grace if it runs, then remove it with its anonymous volumes.

        Success when it is already gone.
        """
        ...

    async def remove_volume(self, bot_id: str) -> None:
        """Remove the bot's named volume; success when it is already gone."""
        ...

    async def logs(self, bot_id: str, query: LogQuery) -> list[LogLine]:
        """The last lines that fit the query, oldest first, at most 1 MiB of text.

        With `grep`, `since`, `until` or one `stream` the last 5,000 lines are looked through, and
        5,000 is the most that come. Lines are whole: frames are joined and decoded (bad bytes
        replaced) before anything is matched; one of more than 256 KiB ends in "…". Raises
        NotFound when there is no container.
        """
        ...

    def events(self) -> EventStream:
        """Events of our containers, for ever.

        The first is "resync", and so is the first after every reconnection: the subscription is
        there before the resync event, so that a list after it misses nothing. While the engine
        is away the iterator waits and tries again (backing off to 5 s); it never raises and never
        ends except by being closed. When more events wait than can be kept, a resync takes their
        place. Giving up on one `anext` (a timeout, say) loses nothing.
        """
        ...

    async def probe(self, probe: Probe) -> ProbeResult:
        """Run a throw-away container, which no list shows, and remove it whatever happens.

        One that outlives its timeout is killed: exit code 137. Raises ImageMissing, BadSpec (for
        instance: the mount's source does not exist).
        """
        ...

    async def execute(
        self,
        bot_id: str,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
    ) -> ProbeResult:
        """Run a program inside the bot's container, as its user, without input or terminal.

        The result holds the last 16 KiB of what it printed, both pipes as they came (what is
        written to the two at one moment may change places); a line that this bound would cut is
        left out. A program that is not in the image ends with 126 or 127.
        Raises NotFound where there is no container, NotReady ("not-running") where it does not
        run, and after `timeout` seconds OutcomeUnknown ("action-timeout"): no engine can end a
        program inside, so that it may go on. Cancelling gives it up in the same way, at once.
        """
        ...

    async def rehearse(
        self,
        spec: ContainerSpec,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
    ) -> ProbeResult:
        """Run a command once in a throw-away container that is as the spec's would be.

        The image, user, environment, limits, secrets, files and hardening are the spec's. Instead
        of the volume there is an empty folder in memory, there is no network, and the command
        stands in for entrypoint and command. No list shows it, and it is removed whatever happens.
        One that outlives its timeout is killed: exit code 137. Raises ImageMissing, BadSpec.
        """
        ...

    async def image_has(self, image: str, paths: tuple[str, ...]) -> frozenset[str]:
        """Which of these absolute paths exist in an image; nothing of it is run.

        Raises ImageMissing when it is not on this machine: it is never pulled for this.
        """
        ...

    async def sweep(self) -> None:
        """Remove the throw-away containers of controllers that died, whatever their age.

        For a start, when nobody else makes any: a rehearsal that goes on has the bot's secrets.
        """
        ...

    async def mounts_of(self, container: str) -> tuple[tuple[str, str, str], ...]:
        """The mounts of any container, as (type, source, destination): for finding our own.

        Raises NotFound when the engine has no such container.
        """
        ...

    async def close(self) -> None:
        """Let go of threads and sockets. Containers go on."""
        ...
