"""``carsim status``: how far a sweep is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from carsim.cli.exit_codes import DIFFERENT

if TYPE_CHECKING:
    from carsim.sweep import StoreStatus


@click.command(short_help="Say how far a sweep is, and whether its files are whole.")
@click.argument("store", metavar="STORE")
@click.option("--verify", is_flag=True, help="Read every block and compare its checksum.")
@click.pass_context
def status(ctx: click.Context, store: str, verify: bool) -> None:
    """Say how far a sweep is, how many trajectories failed and how fast it went.

    STORE is the folder that `carsim sweep` writes; the sweep may be running. Ends with 1 if
    --verify finds a block that is not what was written.
    """
    from carsim.cli.tables import table
    from carsim.sweep import read_status

    found = read_status(store)
    click.echo(found.title)
    table((), _rows(found))
    if verify:
        from carsim.sweep import damaged_blocks

        damaged = damaged_blocks(store)
        if not damaged:
            click.echo(f"  all {found.blocks_done:,} finished blocks are what was written")
            return
        names = ", ".join(map(str, damaged[:10])) + (", ..." if len(damaged) > 10 else "")
        click.echo(
            f"  {len(damaged):,} blocks are not what was written ({names}). Compute them again: "
            f"carsim sweep CONFIG --out {store} --resume"
        )
        ctx.exit(DIFFERENT)


def _rows(found: StoreStatus) -> list[tuple[str, str]]:
    from carsim.engine.status import Status
    from carsim.sweep.memory import spelled

    share = 100 * found.trajectories_done / found.trajectories
    state = "finished" if found.digest else "running" if found.running else "not finished"
    rows = [
        ("state", state),
        ("blocks", f"{found.blocks_done:,} of {found.blocks:,}"),
        (
            "trajectories",
            f"{found.trajectories_done:,} of {found.trajectories:,} ({share:.1f} %)",
        ),
    ]
    for code, count in sorted(found.statuses.items()):
        if code != Status.SUCCESS:
            rows.append((Status(code).name.lower(), f"{count:,}"))
    if found.trajectories_done:
        rows.append(("steps", f"{found.steps / found.trajectories_done:.0f} a trajectory"))
        rows.append(("rejected", f"{found.rejected / max(found.steps, 1):.1%} of the steps tried"))
    if found.seconds:
        rate = found.trajectories_done / found.seconds
        rows.append(("speed", f"{rate:,.0f} trajectories a second and process"))
    rows.append(("processes", f"{found.workers:,}"))
    if found.last is not None:
        rows.append(("last block", f"{found.last:%Y-%m-%d %H:%M:%S} UTC"))
    rows.append(("on the disk", spelled(found.size)))
    if found.damaged:
        rows.append(("journal", f"{len(found.damaged)} lines are damaged and do not count"))
    if found.digest:
        rows.append(("digest", found.digest))
    return rows
