"""What captioning again would do, as ``--dry-run`` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.cli.context import Context, write_json
from photoindex.library.json_forms import plan_json
from photoindex.system.units import counted, human_seconds

if TYPE_CHECKING:
    from photoindex.library import Plan


def show_plan(context: Context, plan: Plan, as_json: bool) -> None:
    """Print what captioning again would do."""
    if as_json:
        write_json(plan_json(plan))
        return
    context.say(f"{counted(plan.photos, 'photo')} would be captioned")
    for model, count in plan.by_model.items():
        context.say(f"  {count:,} now by {model}")
    if plan.seconds is not None and plan.rate is not None:
        context.say(
            f"about {human_seconds(plan.seconds)}, at {plan.rate:.1f} photos a second (measured by {plan.rate_from})"
        )
