"""Discovery: which plugins are on, and one readable reason for each way in which one can be wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from kernel import errors
from kernel.assembly import Assembly, assemble
from kernel.config import load
from kernel.discovery import Catalogue
from kernel.members import State
from tests.kernel.boot.distributions import install, simple


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where distributions can be installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def boot(enabled: object, *, safe: bool = False, **sections: Mapping[str, object]) -> Assembly:
    plugins = {"enabled": enabled, **sections.pop("plugins", {})}
    return assemble(load([], {}, {"plugins": plugins, **sections}), safe=safe)


def refusal(enabled: object, kind: type[errors.BootError], **plugins: object) -> str:
    with pytest.raises(kind) as refused:
        boot(enabled, plugins=plugins)
    assert type(refused.value) is kind
    return re.sub(r"\bm[0-9a-f]{32}\b", "MODULE", str(refused.value))


def test_only_enabled_plugins_are_imported(site: Path) -> None:
    """A broken plugin that nobody enables breaks nothing."""
    install(site, "acme", {"good": simple("good"), "bad": "raise RuntimeError"})

    assembly = boot(["good"])

    assert assembly.resolution.order == ("good",)
    assert (assembly.members["bad"].state, assembly.members["bad"].reason) == (State.DISABLED, "not enabled")


def test_star_means_every_bundled_plugin(site: Path) -> None:
    """A third party's plugin has to be named."""
    install(site, "acme", {"chess": simple("chess")})

    every, named = boot(["*"]), boot(["*", "chess"])

    assert "courses" in every.resolution.order
    assert "chess" not in every.resolution.order
    assert set(named.resolution.order) == {*every.resolution.order, "chess"}


def test_disabled_wins_over_enabled(site: Path) -> None:
    """What both lists name is off."""
    install(site, "acme", {"x": simple("x"), "y": simple("y")})

    assert boot(["x", "y"], plugins={"disabled": ["x"]}).resolution.order == ("y",)


def test_safe_leaves_third_parties_out(site: Path) -> None:
    """`--safe` starts bundled plugins only, and forgets choices among the others."""
    install(site, "acme", {"chess": simple("chess")})

    assembly = boot(["mail", "chess"], safe=True, providers={"mail": "chess"})

    assert assembly.resolution.order == ("mail",)
    assert assembly.members["chess"].reason == "left out by --safe"


def test_unknown_plugin_is_refused_with_a_suggestion(site: Path) -> None:
    """A misspelt name gets the name that was probably meant."""
    install(site, "acme", {"chess": simple("chess")})

    assert refusal(["ches"], errors.UnknownPlugin) == (
        "ches: no installed plugin has this name ([plugins] enabled in the command line); did you mean 'chess'?"
    )


@pytest.mark.parametrize("key", ["disabled", "optional"])
def test_unknown_name_in_any_list_is_refused(site: Path, key: str) -> None:
    """A misspelt name under `disabled` would leave the plugin on, one under `optional` required."""
    message = refusal([], errors.UnknownPlugin, **{key: ["zzz"]})

    assert message == (
        f"zzz: no installed plugin has this name ([plugins] {key} in the command line); install the distribution "
        f"that has it, or choose among: {', '.join(Catalogue.read().names())}"
    )


def test_duplicate_name_is_refused_with_both_distributions(site: Path) -> None:
    """Neither of the two is taken in silence."""
    install(site, "acme", {"chess": simple("chess")})
    install(site, "other", {"chess": simple("chess")})

    assert refusal(["chess"], errors.DuplicatePlugin) == (
        "chess: the distributions acme and other both have a plugin of this name; uninstall one of them"
    )


def test_import_error_is_refused_with_its_reason(site: Path) -> None:
    """The message has the plugin, the distribution and what the import raised."""
    install(site, "acme", {"chess": "import not_there"})

    assert refusal(["chess"], errors.PluginImportFailed) == (
        "chess: MODULE:P of acme can not be imported: ModuleNotFoundError: No module named 'not_there'; "
        "mend it, or name the plugin under [plugins] disabled"
    )


def test_import_that_exits_is_refused(site: Path) -> None:
    """A plugin can not end the process while it is imported."""
    install(site, "acme", {"chess": "raise SystemExit(3)"})

    assert refusal(["chess"], errors.PluginImportFailed) == (
        "chess: MODULE:P of acme can not be imported: SystemExit: 3; "
        "mend it, or name the plugin under [plugins] disabled"
    )


def test_import_error_of_an_optional_plugin_marks_it_failed(site: Path) -> None:
    """Its manifest can not be read, so the administrator says that it is optional."""
    install(site, "acme", {"chess": "import not_there", "go": simple("go")})

    assembly = boot(["chess", "go"], plugins={"optional": ["chess"]})

    assert assembly.resolution.order == ("go",)
    assert assembly.members["chess"].state is State.FAILED
    assert "No module named 'not_there'" in str(assembly.members["chess"].reason)


def test_what_is_no_plugin_is_refused(site: Path) -> None:
    """The entry point must name a subclass of Plugin."""
    install(site, "acme", {"chess": "P = 3"})

    assert refusal(["chess"], errors.InvalidPlugin) == (
        "chess: MODULE:P is 3; the entry point must name a subclass of kernel.Plugin"
    )


def test_plugin_without_manifest_is_refused(site: Path) -> None:
    """The manifest is what the kernel knows of a plugin."""
    install(site, "acme", {"chess": "class P(Plugin): pass"})

    assert refusal(["chess"], errors.InvalidPlugin) == (
        "chess: MODULE:P has no manifest; set `manifest = Manifest(name=…)`"
    )


def test_manifest_with_another_name_is_refused(site: Path) -> None:
    """The manifest bears the name of the entry point."""
    install(site, "acme", {"chess": simple("go")})

    assert refusal(["chess"], errors.InvalidPlugin) == (
        "chess: the entry point is called 'chess' but the manifest of MODULE:P says 'go'; give both the same name"
    )


def test_name_that_is_no_name_is_refused(site: Path) -> None:
    """A name becomes part of URLs, schemas and variables."""
    install(site, "acme", {"Chess_1": simple("Chess_1")})

    assert refusal(["Chess_1"], errors.InvalidPlugin) == (
        "Chess_1: 'Chess_1' can not be the name of a plugin; use lower-case letters, digits and hyphens, "
        "such as early-bird, no -rehearsal at the end, and none of: disabled, enabled, kernel, optional, platform"
    )


@pytest.mark.parametrize("name", ["enabled", "kernel", "platform", "chess-rehearsal"])
def test_name_that_means_something_else_is_refused(site: Path, name: str) -> None:
    """A key of the configuration, what is never closed, what we are installed as, and what rehearsals drop."""
    install(site, "acme", {name: simple(name)})

    assert f"'{name}' can not be the name of a plugin" in refusal([name], errors.InvalidPlugin)


def test_other_kernel_api_is_refused(site: Path) -> None:
    """The message has the range and what this kernel is."""
    install(site, "acme", {"chess": simple("chess", kernel_api='">=2,<3"')})

    assert refusal(["chess"], errors.IncompatiblePlugin) == (
        "chess: version 1 is made for kernel API >=2,<3, this is 1.0; install a version of the plugin that fits"
    )


def test_kernel_api_that_is_no_range_is_refused(site: Path) -> None:
    """The range is one of PEP 440."""
    install(site, "acme", {"chess": simple("chess", kernel_api='"one"')})

    assert refusal(["chess"], errors.InvalidPlugin) == (
        "chess: its kernel_api is 'one'; write a range such as '>=1,<2'"
    )


def test_misspelt_hook_is_refused_with_the_right_one(site: Path) -> None:
    """pluggy alone would never call it."""
    install(site, "acme", {"chess": simple("chess") + "    @hookimpl\n    def rotues(self, ctx): return ()\n"})

    assert refusal(["chess"], errors.UnknownHook) == "chess: 'rotues' is not a hook; did you mean 'routes'?"


def test_unmarked_hook_is_refused(site: Path) -> None:
    """A hook without its mark would never be called either."""
    install(site, "acme", {"chess": simple("chess") + "    def routes(self, ctx): return ()\n"})

    assert refusal(["chess"], errors.UnknownHook) == (
        "chess: its hook 'routes' would never be called; mark it with @hookimpl"
    )


def test_asynchronous_hook_is_refused(site: Path) -> None:
    """Hooks return declarations at once."""
    install(site, "acme", {"chess": simple("chess") + "    @hookimpl\n    async def routes(self, ctx): return ()\n"})

    assert refusal(["chess"], errors.UnknownHook) == (
        "chess: its hook 'routes' is asynchronous; a hook returns at once (def)"
    )


def test_hook_with_other_arguments_is_refused(site: Path) -> None:
    """The message shows what the hook is called with."""
    install(site, "acme", {"chess": simple("chess") + "    @hookimpl\n    def routes(self, context): return ()\n"})

    assert refusal(["chess"], errors.UnknownHook) == (
        "chess: its hook 'routes' takes (self, context); it is called with (self, ctx)"
    )


def test_missing_capability_names_plugins_that_are_off(site: Path) -> None:
    """Manifests of plugins that are off are read for the message only."""
    needs, has = "(Capability('board'),)", "(Capability('board'),)"
    install(site, "acme", {"chess": simple("chess", requires=needs), "wood": simple("wood", provides=has)})

    assert refusal(["chess"], errors.MissingCapability) == (
        "chess: it requires board/1, which no enabled plugin provides; enable one of: wood"
    )
