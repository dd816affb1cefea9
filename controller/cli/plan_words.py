"""A plan in words: one line a change, for people, and as data for programs."""

from __future__ import annotations

from typing import Any

from controller.domain.fleet_plan import Change, FleetGrant, Plan, What


def line(change: Change) -> str:
    """What the change does, as a sentence begins: `+ shop: create …`."""
    sign = {What.CREATE: "+", What.GRANT: "+", What.REMOVE: "-", What.REVOKE: "-"}
    mark = sign.get(change.what, "!" if change.what in {What.STUCK, What.ASK} else "~")
    return f"{mark} {change.bot or 'all bots'}: {_what(change)}"


def _what(change: Change) -> str:
    names, grant = ", ".join(change.names), change.grant
    match change.what:
        case What.CREATE:
            return f"create, {_pairs(change.after)}"
        case What.MODEL:
            return f"model {change.before['model']} → {change.after['model']}"
        case What.SETTINGS:
            return ", ".join(
                f"{name} {_shown(change.before[name])} → {_shown(value)}"
                for name, value in change.after.items()
            )
        case What.SECRETS:
            return f"set {names} from their files"
        case What.ASK:
            return f"needs values that the files don't have: {names}"
        case What.START | What.STOP | What.REMOVE:
            return change.what.value
        case What.GRANT:
            assert grant is not None
            before = f"{change.before['role']} → " if change.before else ""
            return f"grant {before}{grant.role} to {_subject(grant)}"
        case What.REVOKE:
            assert grant is not None
            return f"revoke {grant.role} of {_subject(grant)}"
        case What.STUCK:
            return change.why


def _subject(grant: FleetGrant) -> str:
    return f"{'user' if grant.kind == 'user' else 'Discord role'} {grant.subject}"


def _pairs(values: Any) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: str) -> str:
    """A value on one line, with marks around it where it would run into the words beside it."""
    short = value if len(value) <= 60 else value[:59] + "…"
    return repr(short) if not short or not short.isprintable() or " " in short else short


def data(change: Change) -> dict[str, Any]:
    """The change as data; what it doesn't have is left out."""
    grant = change.grant
    found: dict[str, Any] = {
        "what": change.what.value,
        "bot": change.bot,
        "before": dict(change.before),
        "after": dict(change.after),
        "secrets": list(change.names),
        "why": change.why,
    }
    if grant is not None:
        found["grant"] = {"kind": grant.kind, "subject": grant.subject, "role": grant.role}
    return {key: value for key, value in found.items() if value or key == "what"}


def report(plan: Plan) -> list[str]:
    """The plan in lines; the last one counts."""
    lines = [line(change) for change in plan.changes]
    for name in plan.left:
        lines.append(f"  {name} is no longer in the files; `--prune` removes it.")
    count = len(plan.changes)
    if not count:
        return [*lines, "Nothing to change."]
    return [*lines, f"{count} change{'' if count == 1 else 's'}."]
