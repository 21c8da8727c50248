"""`lyceum plugins`: what is on, what a change would mean, and the change itself."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from kernel.config import load
from tests.kernel.cli.conftest import CONFIG, Terminal
from tests.kernel.cli.processes import free_port, running


def test_list_shows_every_installed_plugin(terminal: Terminal) -> None:
    """Plugins that are on come in the order of their start, with their state; those that are off follow."""
    terminal.config.write_text('[plugins]\nenabled = ["auth", "mail"]\n')
    rows = terminal.type("--json", "plugins", "list").json()

    assert [(row["plugin"], row["state"]) for row in rows][:2] == [("mail", "configured"), ("auth", "configured")]
    assert ("web", "disabled", "not enabled") in [(row["plugin"], row["state"], row["reason"]) for row in rows]


def test_list_leaves_out_strangers_with_safe(terminal: Terminal) -> None:
    """With `--safe` everything that is on is bundled."""
    rows = terminal.type("--safe", "--json", "plugins", "list").json()

    assert {row["distribution"] for row in rows if row["state"] == "configured"} == {"lyceum-platform"}


def test_list_says_that_it_shows_what_is_configured_where_no_server_runs(terminal: Terminal) -> None:
    """And where it has looked for one."""
    port = free_port()
    terminal.config.write_text(f'[server]\nport = {port}\n[plugins]\nenabled = ["web"]\n')
    done = terminal.type("plugins", "list")

    assert done.out.splitlines()[-1] == f"as configured: no server tells its states at http://127.0.0.1:{port}"


def test_list_shows_the_states_of_the_server_that_runs(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks with the operators' token, and without one it is told nothing."""
    terminal.config.write_text(
        '[plugins]\nenabled = ["web"]\n[server]\nhost = "0.0.0.0"\n[operations]\ntoken = "env:OPERATIONS_TOKEN"\n'
    )
    monkeypatch.setenv("OPERATIONS_TOKEN", "long-enough-and-only-for-tests-of-lyceum")
    terminal.type("migrate")
    with running(terminal.folder, ["serve"]) as lyceum:
        lyceum.wait_for()
        monkeypatch.setenv("LYCEUM_SERVER__PORT", str(lyceum.port))
        done = terminal.type("--json", "plugins", "list")
        monkeypatch.setenv("OPERATIONS_TOKEN", "another-one-that-is-long-enough-for-this")
        refused = terminal.type("--json", "plugins", "list")

    assert {row["plugin"]: row["state"] for row in done.json()}["web"] == "started"
    assert done.err == f"as the server at http://127.0.0.1:{lyceum.port} tells\n"
    assert {row["plugin"]: row["state"] for row in refused.json()}["web"] == "configured"


def test_list_takes_nothing_else_for_a_server(terminal: Terminal) -> None:
    """Another program at the port, whatever it says or does not say, leaves the list as configured."""
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"220 mail.example.org ESMTP\r\n", b""):
        with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as pool:
            other.settimeout(10)
            port = other.getsockname()[1]
            terminal.config.write_text(f'[server]\nport = {port}\n[plugins]\nenabled = ["web"]\n')
            answering = pool.submit(_answer, other, answer)
            rows = terminal.type("--json", "plugins", "list").json()
            answering.result()

        assert {row["plugin"]: row["state"] for row in rows}["web"] == "configured"


def _answer(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(10_000)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(10_000)


def test_plan_shows_the_order_and_the_migrations(terminal: Terminal) -> None:
    """Without a change, a plan tells what would start, in which order, and which databases are behind."""
    done = terminal.type("plugins", "plan")
    names = [row.split()[1] for row in done.rows() if row[0].isdigit()]

    assert done.code == 0
    assert names.index("mail") < names.index("auth") < names.index("users")
    assert "`lyceum migrate` will change the databases of: audit, mail, auth, privacy, search, users" in done.out


def test_plan_says_what_a_switch_off_takes_away(terminal: Terminal) -> None:
    """Dependants, routes, pages and waiting events are named, and nothing is changed."""
    done = terminal.type("plugins", "plan", "--disable", "enrollments", "--disable", "web")

    assert done.code == 0
    for line in (
        "enrollments stops; its data stays",
        "gone: the page /",
        "gone: POST /api/v1/enrollments/purchases",
        "waits until the plugin is back: payments.purchase_charged.v1 for enrollments",
    ):
        assert line in done.out.splitlines()
    assert terminal.config.read_text() == CONFIG


def test_plan_that_would_not_boot_is_exit_code_1(terminal: Terminal) -> None:
    """A plan names those who need what goes away, and says why the deployment would not start."""
    done = terminal.type("plugins", "plan", "--disable", "payments")

    assert done.code == 1
    assert "enrollments requires payments/1 of payments" in done.out.splitlines()
    assert done.err.startswith("lyceum: it would not start: enrollments: it requires payments/1, ")


def test_plan_for_programs_holds_the_same(terminal: Terminal) -> None:
    """With `--json` a plan is one object."""
    done = terminal.type("--json", "plugins", "plan", "--disable", "payments")
    plan = done.json()

    assert (done.code, plan["boots"], plan["stops"]) == (1, False, ["payments"])
    assert [one for one in plan["dependants"] if one["required"]] == [
        {"plugin": "enrollments", "capability": "payments/1", "provider": "payments", "required": True}
    ]


def test_plan_for_a_broken_deployment_shows_whether_the_change_mends_it(terminal: Terminal) -> None:
    """What does not boot now may boot after the change."""
    terminal.config.write_text('[plugins]\nenabled = ["auth"]\n')
    done = terminal.type("plugins", "plan", "--enable", "mail")

    assert done.code == 0
    assert [row.split()[1] for row in done.rows() if row[0].isdigit()] == ["mail", "auth"]


def test_plan_shows_what_another_provider_would_mean(terminal: Terminal) -> None:
    """A choice is tried before it is written; a plugin that can not be chosen is refused as at a start."""
    terminal.config.write_text('[plugins]\nenabled = ["*", "freepay"]\n[providers]\npayments = "payments"\n')
    chosen = terminal.type("plugins", "plan", "--provider", "payments=freepay")
    unable = terminal.type("plugins", "plan", "--provider", "payments=web")
    mistyped = terminal.type("plugins", "plan", "--provider", "payments")

    assert (chosen.code, unable.code, mistyped.code) == (0, 1, 2)
    assert "payments/1 is provided by freepay from now on" in chosen.out.splitlines()
    assert {"payments stops; its data stays", "gone: GET /api/v1/payments/statement"} <= set(chosen.out.splitlines())
    assert unable.err.startswith("lyceum: it would not start: ")
    assert "'payments' names no choice; write it as payments=PLUGIN" in mistyped.err


def test_disable_writes_what_it_announced(terminal: Terminal) -> None:
    """First the meaning, then the change in the file, whose comments stay."""
    done = terminal.type("plugins", "disable", "enrollments")

    assert done.code == 0
    assert done.out.index("enrollments stops") < done.out.index("written to config/lyceum.toml; restart")
    assert terminal.config.read_text() == CONFIG.replace("disabled = []", 'disabled = ["enrollments"]')


def test_disable_refuses_what_would_not_boot(terminal: Terminal) -> None:
    """The dependants are named, and the file stays as it is; with them in the same breath it works."""
    refused = terminal.type("plugins", "disable", "payments")
    written = terminal.config.read_text()
    together = terminal.type("plugins", "disable", "payments", "enrollments")

    assert (refused.code, written) == (1, CONFIG)
    assert refused.err.endswith("nothing was changed\n")
    assert together.code == 0
    assert load([terminal.config], {}).plugins.disabled == ("payments", "enrollments")


def test_enable_undoes_disable(terminal: Terminal) -> None:
    """What was switched off and on again leaves the file as it was."""
    terminal.type("plugins", "disable", "web")
    done = terminal.type("plugins", "enable", "web")

    assert "new" in done.out
    assert terminal.config.read_text() == CONFIG


def test_enable_of_what_is_on_changes_nothing(terminal: Terminal) -> None:
    """It is so already."""
    done = terminal.type("plugins", "enable", "web")

    assert (done.code, done.out.splitlines()[-1]) == (0, "it is so already; nothing was changed")


def test_unknown_plugin_is_named(terminal: Terminal) -> None:
    """A misspelt name is refused with the nearest one."""
    done = terminal.type("plugins", "disable", "enrolments")

    assert (done.code, terminal.config.read_text()) == (1, CONFIG)
    assert done.err == (
        "lyceum: enrolments: no installed plugin has this name (the command line); did you mean 'enrollments'?\n"
    )
