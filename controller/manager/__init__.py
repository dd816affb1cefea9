"""The use-cases and the machinery that makes the world match the wish.

`lifecycle`, `credentials`, `edits`, `actions`, `access`, `logbook`, `orphans`, `audit`, `doctor`:
what people ask. `converge` with `ends`, `preparation`, `reloads`, `symptoms` and `errands`, then
`reconciler`, `watcher`, `wishes`, `fleet`, `blueprint`: how it comes true.
`manager` wires them into one value. Discord is next door in `chat`, HTTP in `api`.
"""

from controller.manager.manager import Manager, Parts, build

__all__ = ["Manager", "Parts", "build"]
