"""The use-cases, one file a subject. Each asks for the right of its act before it does anything.

`lifecycle`, `credentials` with `submission`, `edits`, `actions`, `access`, `logbook`, `history`,
`orphans`, `doctor`, `tokens`: what people ask for; `bots`: what can be asked about; `notebook`:
what an edge remembers. `manager` is all of them as one value, which `building` wires. How wishes
come true is next door in `loop`.
"""

from controller.manager.building import build
from controller.manager.manager import Installation, Manager, Parts

__all__ = ["Installation", "Manager", "Parts", "build"]
