"""What makes the world match the wishes: look, account, decide, step.

`look` asks the engine and the disk, `account` explains how runs ended, `domain.plan` decides,
`steps` carries the step out as a task of its own. `converge` is one such pass for one bot; `queue`
says which bot is next, `watcher` hears the engine, `story` remembers the last passes. Only this
package, through `steps`, calls mutating methods of the runtime.
"""

from controller.loop.machinery import Loop, Tools

__all__ = ["Loop", "Tools"]
