"""``photoindex cluster``, and ``photoindex reindex --engine ray``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import (
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    Context,
    address_option,
    json_option,
    stop_on_signals,
    write_json,
)
from photoindex.cli.plans import show_plan
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line
from photoindex.errors import ConfigError
from photoindex.system.lazy_imports import importing
from photoindex.system.units import counted

if TYPE_CHECKING:
    from photoindex.library import Library, Plan, Priority
    from photoindex.library.ray_cluster import RayCluster


@click.group()
def cluster() -> None:
    """Look at the workers that Ray runs on many machines, and end them.

    `photoindex reindex --engine ray` starts them, and ends them when its photos are done.
    """


@cluster.command("status")
@address_option
@json_option
@click.pass_obj
def status(context: Context, /, address: str | None, as_json: bool) -> None:
    """Show the machines of a Ray cluster and the workers there."""
    with _connected(address) as found:
        nodes, workers = found.nodes(), found.workers()
    if as_json:
        write_json({"nodes": [dataclasses.asdict(node) for node in nodes],
                    "workers": [dataclasses.asdict(worker) for worker in workers]})  # fmt: skip
        return
    for node in nodes:
        state = f"{node.cpus:g} cores, {node.gpus:g} GPUs" if node.is_alive else "gone"
        print_line(f"node {node.address}: {state}")
    for worker in workers:
        counts = "" if worker.captioned is None else f", {worker.captioned:,} captioned, {worker.failed:,} failed"
        print_line(f"{worker.name}: {worker.state}{counts}{f': {worker.error}' if worker.error else ''}")
    if not workers:
        context.say("no workers: photoindex reindex --engine ray starts some")


@cluster.command("stop")
@address_option
@click.pass_obj
def stop(context: Context, /, address: str | None) -> None:
    """End the workers of a Ray cluster, as when the command that started them was killed. What is left stays queued."""
    with _connected(address) as found:
        count = len(found.workers())
        found.stop()
    context.say(f"{counted(count, 'worker')} ended")


def reindex_by_ray(
    context: Context,
    flags: dict[str, Any],
    chosen: dict[str, Any],
    priority: Priority,
    address: str | None,
    workers: int | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Have workers of a Ray cluster caption the ``chosen`` photos, or say how long that would take."""
    if not context.settings(**flags).catalogue:
        raise ConfigError("--engine ray needs a catalogue that other machines reach: set catalogue to a URL")
    with context.open(**flags) as library, stop_on_signals() as stop, _connected(address) as found:
        count = workers or found.room()
        if dry_run:
            show_plan(context, _with_workers(library.plan_recaption(**chosen), count), as_json)
            return
        number, photos = library.queue_recaption(**chosen, priority=priority)
        if number is None:
            context.say("0 captioned")
            return
        context.say(f"batch {number}: {counted(photos, 'photo')}, {counted(count, 'worker')}")
        found.start(library.settings, count)
        try:
            with ProgressDisplay(context.quiet) as display:
                found.work_off(library, number, stop, display)
        finally:
            found.stop()
        failed = _summarise(context, library, number)
    if stop.is_set():
        raise SystemExit(EXIT_INTERRUPTED)
    if failed:
        raise SystemExit(EXIT_SOME_FAILED)


def _summarise(context: Context, library: Library, number: int) -> int:
    """Say how a batch ended; return how many photos failed."""
    batch = library.batches.get(number)
    failed = f", {batch.failed:,} failed: photoindex failures list" if batch.failed else ""
    context.say(f"{batch.done:,} captioned{failed}")
    if batch.left:
        context.say(f"{batch.left:,} left: the same command, photoindex worker or reindex --resume goes on")
    return batch.failed


def _with_workers(plan: Plan, count: int) -> Plan:
    """Return a plan that was measured on this machine alone for so many workers; a batch's rate is of all it had."""
    if plan.rate is None or plan.rate_from is None or plan.rate_from.startswith("batch"):
        return plan
    source = f"{plan.rate_from} on this machine, times {counted(count, 'worker')}"
    return dataclasses.replace(plan, rate=plan.rate * count, rate_from=source)


def _connected(address: str | None) -> RayCluster:
    with importing():
        from photoindex.library.ray_cluster import RayCluster
    return RayCluster(address)
