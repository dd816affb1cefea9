"""One pass for one bot: look, account, decide, begin the step.

Who pokes it: commands through `wishes`, the engine's events through `watcher`, a step's own end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from controller.domain.bot import Bot, Wish
from controller.domain.errors import EngineUnavailable, NotFound
from controller.domain.observation import ContainerState, Health, World
from controller.domain.plan import Step, decide
from controller.fleet.views import Fleet, View
from controller.loop.account import Accounts
from controller.loop.errands import Errands, not_running
from controller.loop.freshness import Freshness
from controller.loop.look import Looker
from controller.loop.reloads import Reloads
from controller.loop.steps import Steps
from controller.loop.story import Stories, seen

AGAIN = 0.05  # seconds until the next look where one showed what was before
PACE = 1.0  # seconds between looks while the engine is on its way; events usually come first


class Converger:
    """Moves the world of one bot towards its wish, one step at a time."""

    def __init__(  # noqa: PLR0913 - the one place where the four parts of a pass meet
        self,
        *,
        fleet: Fleet,
        looker: Looker,
        accounts: Accounts,
        steps: Steps,
        reloads: Reloads,
        errands: Errands,
        stories: Stories,
        freshness: Freshness,
        doubt: Callable[[str], None],
    ) -> None:
        self._fleet = fleet
        self._looker = looker
        self._accounts = accounts
        self._steps = steps
        self._reloads = reloads
        self._errands = errands
        self._stories = stories
        self._doubt = doubt
        self._freshness = freshness
        self.unfinished: set[str] = set()  # bots whose look the engine's absence cut short

    async def __call__(self, bot_id: str) -> float | None:
        """Converge one bot; None when nothing is left to do now, else seconds until the next look.

        Raises what kept it from looking; the queue tries again later.
        """
        view = self._fleet.get(bot_id)
        if view is None:
            self._forget(bot_id)
            return None
        self.unfinished.discard(bot_id)
        if self._fleet.engine.away:
            self._put_off(bot_id, EngineUnavailable(self._fleet.engine.reason))
            return None
        if self._steps.running(bot_id) == Step.SAVE:
            return None  # frozen by ourselves: what a look would show is nobody's doing
        turn = self._steps.turn(bot_id)
        try:
            found = await self._look(view)
        except EngineUnavailable as error:
            self._put_off(bot_id, error)
            self._doubt(bot_id)
            raise
        except NotFound:  # forgotten during the look
            self._forget(bot_id)
            return None
        if found is None:
            return AGAIN
        bot, world = found
        if self._steps.turn(bot_id) != turn:
            # A step began or ended during the look: it may show the world from before.
            return PACE if self._steps.running(bot_id) else 0.0
        if replace(view.bot, run=bot.run, problem=bot.problem) != bot:
            # Somebody changed it meanwhile. What was looked at depends on what was wished: whether
            # there is a volume matters for a removal only, and what is outdated for a run.
            return 0.0
        step = decide(bot, world)
        self._serve(step, bot, world)
        return self._act(step, bot, world)

    def _put_off(self, bot_id: str, error: EngineUnavailable) -> None:
        """The engine is away: the patrol notices its return and pokes this bot then."""
        self.unfinished.add(bot_id)
        self._errands.refuse(bot_id, error)

    def _act(self, step: Step, bot: Bot, world: World) -> float | None:
        match step:
            case Step.SETTLED:
                self._steps.settled(bot.id)
                return self._next_look(bot.id)
            case Step.WAIT:
                return None
            case Step.LOOK_AGAIN:
                return self._patience(bot, world)
            case _:
                return self._steps.begin(step, bot)

    def _next_look(self, bot_id: str) -> float | None:
        due = (
            self._fleet.next_decay(bot_id),
            self._looker.signs.next_reading(bot_id),
            self._looker.proofs.due(bot_id),
        )
        return min((seconds for seconds in due if seconds is not None), default=None)

    def _patience(self, bot: Bot, world: World) -> float | None:
        """How long to wait for the engine. A health check's verdict comes as an event, so only its
        deadline needs a look."""
        container = world.container
        starting = container is not None and container.health is Health.STARTING
        if not starting or world.command:
            return PACE
        left, decided = self._looker.time_left(bot), self._looker.proofs.due(bot.id)
        late = None if left is None else left + PACE / 10
        return min((at for at in (late, decided) if at is not None), default=None)

    def _serve(self, step: Step, bot: Bot, world: World) -> None:
        """Begin, keep waiting or refuse what people asked to run in the bot."""
        running = world.container is not None and world.container.state is ContainerState.RUNNING
        if step is Step.WAIT:
            return
        if not running:
            self._errands.refuse(bot.id, not_running(f"{bot.name} isn't running."))
        elif bot.wish is Wish.RUN and step in {Step.SETTLED, Step.LOOK_AGAIN}:
            self._errands.begin(bot.id)

    def _forget(self, bot_id: str) -> None:
        self._errands.give_up(bot_id, "is gone")
        self._looker.forget(bot_id)
        self._accounts.forget(bot_id)
        self._steps.forget(bot_id)
        self._stories.forget(bot_id)
        self._freshness.forget(bot_id)
        self.unfinished.discard(bot_id)

    async def _look(self, view: View) -> tuple[Bot, World] | None:
        """The bot's row and its world as they are now; None if what was found is out of date."""
        before, bot = view.world.container, view.bot
        row = None if self._steps.running(bot.id) else bot
        world, trouble = await self._looker(bot)
        removed = not world.hidden and self._freshness.is_removed(bot.id, world.container)
        if self._freshness.doubts(bot.id, world.container):
            self._stories.tell(bot.id, "doubt", seen(bot, world))
            return None
        # Shown before it is accounted for: a cleared wish must never meet the former look.
        self._fleet.show_world(bot.id, world)
        if removed and before is not None:
            await self._accounts.note_removed(bot.id)
        await self._reloads.owe(bot.id, world.container)
        if world.hidden:
            bot = self._fleet.require(bot.id).bot  # its run may go on: nothing is over yet
        else:
            bot = await self._accounts.settle(bot.id, before, world.spec, row)
        world = replace(
            world,
            step=self._steps.running(bot.id),
            command=self._errands.busy(bot.id),
            save=self._steps.savings.wanted(bot.id),
        )
        self._stories.tell(bot.id, "look", seen(bot, world))
        if trouble is not None and bot.wish is Wish.RUN and bot.problem is None:
            self._fleet.show_held_up(bot.id, trouble.message)
            raise trouble  # a disk that is away holds back a start, never a stop or a removal
        return bot, world
