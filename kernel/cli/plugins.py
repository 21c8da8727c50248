"""`lyceum plugins list | plan | enable | disable | check | new`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import click
import msgspec

from kernel import errors
from kernel.cli import editing, planning, upgrading
from kernel.cli.console import Console
from kernel.cli.planning import Plan
from kernel.cli.scaffolding import new
from kernel.discovery import Catalogue

if TYPE_CHECKING:
    from kernel.cli.running import Told
    from kernel.lifecycle import Platform
    from kernel.members import Member

_NO_CHOICES: Final[Mapping[str, str]] = MappingProxyType({})


@click.group()
def plugins() -> None:
    """See, plan and change which plugins are on."""


@plugins.command("list")
@click.pass_obj
def list_(console: Console) -> None:
    """Show every installed plugin, in the state in which the running server has it, if there is one."""
    from kernel.cli import running

    platform = console.boot()
    told = running.ask(platform.config)
    columns = ("Plugin", "Version", "State", "Provides", "Distribution", "Reason")
    console.table(columns, [_row(member, (told or {}).get(member.name)) for member in platform.states()])
    if told is None:
        console.say(f"as configured: no server tells its states at {running.url_of(platform.config)}")
    else:
        console.say(f"as the server at {running.url_of(platform.config)} tells")


@plugins.command()
@click.option("--enable", "on", multiple=True, metavar="PLUGIN", help="As if this plugin were on.")
@click.option("--disable", "off", multiple=True, metavar="PLUGIN", help="As if this plugin were off.")
@click.option(
    "--provider", "choices", multiple=True, metavar="NAME=PLUGIN", help="As if [providers] chose so: payments=freepay."
)
@click.option(
    "--upgrade", "upgraded", metavar="NAME==VERSION|PATH", help="Try this version of a plugin on a copy of the data."
)
@click.pass_context
def plan(
    ctx: click.Context, on: tuple[str, ...], off: tuple[str, ...], choices: tuple[str, ...], upgraded: str | None
) -> None:
    """Show what would start, in which order, and what a change would break. Nothing is changed."""
    console = ctx.find_object(Console) or Console()
    if upgraded is not None:
        if on or off or choices:
            raise click.UsageError("--upgrade goes by itself; plan the other changes before or after it")
        _rehearse(ctx, console, upgraded)
        return
    found = _plan(console, on, off, dict(map(_choice, choices)))
    _show(console, found)
    if not found.boots:
        ctx.exit(1)


@plugins.command()
@click.argument("names", nargs=-1, required=True, metavar="PLUGIN...")
@click.pass_context
def enable(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Switch each PLUGIN on in the configuration file, after saying what that means."""
    _switch(ctx, on=names, off=())


@plugins.command()
@click.argument("names", nargs=-1, required=True, metavar="PLUGIN...")
@click.pass_context
def disable(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Switch each PLUGIN off in the configuration file, after saying what that means."""
    _switch(ctx, on=(), off=names)


@plugins.command()
@click.argument("name", metavar="PLUGIN")
@click.option("--write-schemas", is_flag=True, help="Write the JSON Schemas of its own events first, to be committed.")
@click.pass_context
def check(ctx: click.Context, name: str, *, write_schemas: bool) -> None:
    """Check PLUGIN, on or off, against the rules of the house, on databases that are made for it."""
    from kernel.testing.conformance import check_plugin, write_schemas_of

    console = ctx.find_object(Console) or Console()
    if write_schemas:
        write_schemas_of(name)
    verdicts = check_plugin(console, name)
    console.table(("Rule", "Verdict", "Remedy"), [(one.rule, one.verdict, one.remedy) for one in verdicts])
    if any(one.verdict == "broken" for one in verdicts):
        ctx.exit(1)


plugins.add_command(new)


def _rehearse(ctx: click.Context, console: Console, wanted: str) -> None:
    verdicts = upgrading.rehearse(console, wanted)
    if console.json:
        console.document(verdicts)
    else:
        rows = [(one.plugin, one.before, one.after, one.verdict) for one in verdicts]
        console.table(("Plugin", "Before", "After", "Verdict"), rows)
        for one in verdicts:
            for finding in one.findings:
                console.say(f"{one.plugin}: {finding}")
    if any(one.verdict == "refused" for one in verdicts):
        ctx.exit(1)


def _row(member: Member, told: Told | None) -> tuple[object, ...]:
    provides = [str(one) for one in member.manifest.provides] if member.manifest else []
    version = member.manifest.version if member.manifest else member.installed.version
    state, reason = (told.state, told.reason) if told else (str(member.state), member.reason)
    return member.name, version, state, provides, member.installed.distribution, reason


def _switch(ctx: click.Context, *, on: Sequence[str], off: Sequence[str]) -> None:
    console = ctx.find_object(Console) or Console()
    found = _plan(console, on, off)
    _show(console, found)
    if not found.boots:
        click.echo("nothing was changed", err=True)
        ctx.exit(1)
    config = console.load()
    written = editing.write(config, console.files(), _lists(console, on, off))
    for file in written:
        console.say(f"written to {file}; restart to let it take effect")
    if not written:
        console.say("it is so already; nothing was changed")


def _choice(text: str) -> tuple[str, str]:
    name, found, plugin = text.partition("=")
    if not (name and found and plugin):
        raise click.BadParameter(f"{text!r} names no choice; write it as payments=PLUGIN", param_hint="--provider")
    return name, plugin


def _plan(console: Console, on: Sequence[str], off: Sequence[str], providers: Mapping[str, str] = _NO_CHOICES) -> Plan:
    lists = _lists(console, on, off)
    before = _try_boot(console)
    lost = planning.losses(before, off) if before else Plan(boots=True)
    try:
        chosen = {"plugins": {"enabled": lists.enabled, "disabled": lists.disabled}, "providers": providers}
        after = console.boot(chosen)
    except errors.BootError as error:
        return msgspec.structs.replace(lost, boots=False, reason=str(error))
    gone = planning.alive(before) - planning.alive(after) if before else set()
    return msgspec.structs.replace(
        planning.losses(before, gone) if before else lost,
        order=planning.order(before, after),
        providers=planning.changed_providers(before, after),
        migrations=asyncio.run(after.behind()),
    )


def _lists(console: Console, on: Sequence[str], off: Sequence[str]) -> editing.Lists:
    catalogue, config = Catalogue.read(), console.load()
    for name in (*on, *off):
        catalogue.get(name, where="the command line")
    now = editing.Lists(enabled=config.plugins.enabled, disabled=config.plugins.disabled)
    return now.switched(on=on, off=off, bundled=catalogue.bundled())


def _try_boot(console: Console) -> Platform | None:
    try:
        return console.boot()
    except errors.BootError:  # a broken deployment may be what the change is to mend
        return None


def _show(console: Console, plan: Plan) -> None:
    if console.json:
        console.document(plan)
        return
    rows = [(place, *msgspec.structs.astuple(step)) for place, step in enumerate(plan.order, 1)]
    if rows:
        console.table(("", "Plugin", "Version", "Provides", "Change"), rows)
    for line in _lines(plan):
        console.say(line)
    if not plan.boots:
        click.echo(f"lyceum: it would not start: {plan.reason}", err=True)


def _lines(plan: Plan) -> Iterator[str]:
    for name in plan.stops:
        yield f"{name} stops; its data stays"
    for one in plan.dependants:
        verb = "requires" if one.required else "does without"
        yield f"{one.plugin} {verb} {one.capability} of {one.provider}"
    for capability, name in plan.providers.items():
        yield f"{capability} is provided by {name} from now on"
    for route in plan.routes:
        yield f"gone: {route}"
    for page in plan.pages:
        yield f"gone: the page {page}"
    for handler in plan.handlers:
        yield f"waits until the plugin is back: {handler}"
    if plan.migrations:
        yield f"`lyceum migrate` will change the databases of: {', '.join(plan.migrations)}"
