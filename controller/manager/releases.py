"""What a bot was made of, bringing it up to date, and going back. Each makes a release.

The loop tries it: if it doesn't prove itself, the one before it comes back (`loop/trials.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.domain.acts import BOT_RELEASES, BOT_ROLLBACK, BOT_UPDATE
from controller.domain.bot import Bot, Wish
from controller.domain.errors import Conflict, ImageMissing, NotFound, NotReady
from controller.domain.image_version import ImageVersion
from controller.domain.release import Content, Outcome, Release, content_of, with_content
from controller.domain.run import PRESENT
from controller.domain.spec_changes import Difference, differences, version_differences
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Caller, Deed, Journal
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.manager.access import Access
from controller.manager.lifecycle import WAIT_SECONDS, at_rest, note_end
from controller.runtime import Runtime, Told, untold
from controller.store import Store

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an update would change. `mark` names it: it's the same while this is what it would do.

    The images are what the references mean: digests or ids.
    """

    image: tuple[str, str]
    reference: tuple[str, str]
    template: bool  # whether its template is another one
    config: tuple[Difference, ...]
    versions: tuple[Difference, ...] = ()  # what the images' labels say
    failed: str = ""  # why the same was taken back before
    mark: str = ""

    def __bool__(self) -> bool:
        return self.image[0] != self.image[1] or self.template or bool(self.config)


@dataclass(frozen=True, slots=True)
class Updated:
    """How an update ended, so far: the bot's view, and what it changed."""

    view: View | None
    changes: Changes


@dataclass(frozen=True, slots=True)
class WentBack:
    """How a rollback ended: the bot's view, and the image that had to be pulled again, if any."""

    view: View | None
    pulled: str = ""


class Releases:
    """The use-cases."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        runtime: Runtime,
        journal: Journal,
        access: Access,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._runtime = runtime
        self._journal = journal
        self._access = access

    async def listed(self, caller: Caller, bot: Bot, limit: int = SHOWN) -> list[Release]:
        """The bot's newest releases, newest first."""
        await self._access.require(caller, BOT_RELEASES, bot)
        return await self._store.releases(bot.id, limit)

    async def preview(self, caller: Caller, bot: Bot, tell: Told = untold) -> Changes:
        """What an update would change now. The image's reference is resolved, by a pull if that is
        how its template gets it; `tell` hears of that, as in `Runtime.pin_image`.

        Raises ImageMissing, RegistryUnavailable, or NotFound for a template that is gone.
        """
        await self._access.require(caller, BOT_UPDATE, bot)
        return (await self._update_of(self._now(bot), tell))[1]

    async def update(
        self,
        caller: Caller,
        bot: Bot,
        mark: str = "",
        wait: float = WAIT_SECONDS,
        tell: Told = untold,
    ) -> Updated:
        """Bring the bot to what its template and its image's reference mean now.

        With a `mark`: Conflict (`changed-meanwhile`) when that isn't what was shown. Raises
        NotReady (`up-to-date`) when nothing would change, and what `preview` raises.
        """
        await self._access.require(caller, BOT_UPDATE, bot)
        async with self._journal.request(caller, BOT_UPDATE, bot) as deed:
            before = self._now(bot)
            after, changes = await self._update_of(before, tell)
            if mark and mark != changes.mark:
                raise Conflict(
                    f"What an update of {bot.name} would change is something else by now.",
                    hint=f"Look again: /bot update {bot.name}.",
                    code="changed-meanwhile",
                )
            if not changes:
                raise NotReady(f"{bot.name} is up to date.", code="up-to-date")
            return Updated(await self._wish(deed, before, after, "update", wait), changes)

    async def rollback(
        self, caller: Caller, bot: Bot, number: int | None = None, wait: float = WAIT_SECONDS
    ) -> WentBack:
        """Make the bot what it was in that release, or in the last one that worked. An image that
        is gone is pulled again.

        Raises NotFound (`no-such-release`), NotReady (`up-to-date`) for what it is already, and
        ImageMissing when its image is gone and can't be pulled. Secrets and the bot's own state
        stay as they are.
        """
        await self._access.require(caller, BOT_ROLLBACK, bot)
        detail = {} if number is None else {"release": number}
        async with self._journal.request(caller, BOT_ROLLBACK, bot, detail) as deed:
            before = self._now(bot)
            wanted = await self._wanted(before, number)
            after = with_content(before, self._held(before, wanted))
            if content_of(after) == content_of(before):
                raise NotReady(
                    f"{bot.name} is what it was in release {wanted.number}.", code="up-to-date"
                )
            pulled = await self._require_image(wanted)
            deed.ended(release=wanted.number, **({"pulled": pulled} if pulled else {}))
            view = await self._wish(deed, before, after, "rollback", wait)
            return WentBack(view, pulled)

    async def _update_of(self, bot: Bot, tell: Told) -> tuple[Bot, Changes]:
        follows = replace(bot, held="")
        wanted = self._blueprints.template(follows).image
        pull = "never" if wanted.pull == "never" else "always"
        image = await self._runtime.pin_image(wanted.ref, pull, tell=tell)
        after = replace(follows, image=image, image_ref=wanted.ref)
        current = await self._store.release(bot.id, bot.wanted)
        snapshot = current.snapshot if current else ""
        text = self._blueprints.snapshot(after)
        # As it was created: by the template of that time, as far as that is known.
        was = replace(bot, held=snapshot) if snapshot else bot
        config = differences(self._blueprints.spec(was), self._blueprints.spec(after))
        known = await self._store.releases(bot.id, SHOWN)
        changes = Changes(
            image=(bot.image, image),
            reference=(bot.image_ref, wanted.ref),
            template=bool(snapshot) and snapshot != text,
            config=config,
            versions=version_differences(
                await self._version(bot.image), await self._version(image)
            ),
            failed=_failed_before(known, content_of(after), text),
        )
        seen = f"{image}\0{text}\0{content_of(bot)}"
        return after, replace(changes, mark=hashlib.sha256(seen.encode()).hexdigest()[:12])

    async def _version(self, image: str) -> ImageVersion:
        """What an image says of its version; nothing where it's gone."""
        with contextlib.suppress(ImageMissing):
            return await self._runtime.image_version(image) if image else ImageVersion()
        return ImageVersion()

    async def _wanted(self, bot: Bot, number: int | None) -> Release:
        found = await self._store.releases(bot.id, SHOWN) if number is None else []
        if number is not None:
            one = await self._store.release(bot.id, number)
            found = [one] if one is not None else []
        else:
            # One that is tried, or failed with nothing to come back, gives way to the current one.
            last = bot.release if bot.candidate else bot.release - 1
            found = [r for r in found if r.outcome is Outcome.GOOD and r.number <= last]
        if not found:
            what = "no earlier release that worked" if number is None else f"no release {number}"
            raise NotFound(
                f"{bot.name} has {what}.",
                hint=f"/bot releases {bot.name} shows all.",
                code="no-such-release",
            )
        return found[0]

    def _held(self, bot: Bot, wanted: Release) -> Content:
        """The release's content, held to its template where that is another one by now."""
        content = wanted.content
        follows = with_content(bot, replace(content, held=""))
        if content.held or not wanted.snapshot:
            return content
        same = wanted.snapshot == self._blueprints.snapshot(follows)
        return content if same else replace(content, held=wanted.snapshot)

    async def _require_image(self, wanted: Release) -> str:
        """The image if it was gone and had to be pulled again."""
        image = wanted.content.image
        if not image:
            return ""
        with contextlib.suppress(ImageMissing):
            await self._runtime.pin_image(image, "never")
            return ""
        try:
            await self._runtime.pin_image(image, "missing")
            return image
        except ImageMissing as error:
            raise ImageMissing(
                f"The image of release {wanted.number} is gone: {image}. {error.message}",
                hint=f"Get it back on the host ({wanted.content.image_ref}), then try again.",
            ) from None

    async def _wish(
        self, deed: Deed, before: Bot, after: Bot, why: str, wait: float
    ) -> View | None:
        view = self._fleet.get(before.id)
        owed = view is not None and not view.world.missing

        def edit(now: Bot) -> Bot:
            if content_of(now) != content_of(before):
                raise Conflict(
                    f"Somebody else changed {now.name} meanwhile.",
                    hint="Look at it again, then decide.",
                    code="changed-meanwhile",
                )
            run = now.run.end(PRESENT) if owed else now.run
            fresh = with_content(_unless_removed(now), content_of(after))
            return replace(fresh, problem=None, run=run)

        await self._wishes.change(before.id, edit, deed.author, forgive=True, why=why)
        view = await self._fleet.wait_for(before.id, lambda v: v is None or at_rest(v), wait)
        note_end(deed, view)
        return view

    def _now(self, bot: Bot) -> Bot:
        return _unless_removed(self._fleet.require(bot.id).bot)


def _failed_before(known: Sequence[Release], content: Content, snapshot: str) -> str:
    """Why the newest release of that image and template failed, if it did."""
    for one in known:
        same = one.content.image == content.image and one.snapshot == snapshot
        if same and one.content.fields == content.fields:
            failed = one.outcome is Outcome.FAILED and one.problem is not None
            return one.problem.message if failed and one.problem else ""
    return ""


def _unless_removed(bot: Bot) -> Bot:
    if bot.wish is Wish.REMOVE:
        raise NotReady(f"{bot.name} is being removed.", code="being-removed")
    return bot
