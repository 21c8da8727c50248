"""Settings: files under environment under command line, typed, and every mistake at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from kernel import Secret, Settings, errors
from kernel.config import Config, check, deployment_secrets, load
from kernel.http.limits import parse_rate


class Payments(Settings, frozen=True):
    currency: Annotated[
        str, msgspec.Meta(pattern="^[A-Z]{3}$", description="a three-letter ISO code", examples=["EUR"])
    ] = "USD"
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    mode: Literal["live", "test"] = "test"
    hosts: tuple[str, ...] = ()
    fees: dict[str, int] = msgspec.field(default_factory=dict)
    strict: bool = False
    key: Secret | None = None


class Inner(Settings, frozen=True):
    size: int = 1


class Outer(Settings, frozen=True):
    inner: Inner = Inner()


class Shop(msgspec.Struct, frozen=True):
    key: Secret


class Shops(Settings, frozen=True):
    shops: dict[str, Shop]


def write(folder: Path, text: str, name: str = "lyceum.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def refusal(config: Config, kind: type[Settings] = Payments) -> str:
    with pytest.raises(errors.InvalidSettings) as refused:
        check([*config.mistakes, *config.plugin_settings("payments", kind).mistakes])
    return str(refused.value)


def test_later_files_win(tmp_path: Path) -> None:
    """Files are read in order; a later one changes only what it names."""
    first = write(tmp_path, '[server]\nname = "North"\nport = 1\n', "a.toml")
    second = write(tmp_path, "[server]\nport = 2\n", "b.toml")

    config = load([first, second], {})

    assert (config.server.name, config.server.port) == ("North", 2)
    assert config.where("server", "port") == str(second)
    assert config.where("server", "host") == "the defaults"


def test_environment_wins_over_files(tmp_path: Path) -> None:
    """Text from the environment becomes the type of the setting; a list may be JSON or separated by commas."""
    file = write(tmp_path, '[plugins.payments]\ncurrency = "EUR"\nlimit = 5\n')
    environ = {
        "LYCEUM_PLUGINS__PAYMENTS__LIMIT": "7",
        "LYCEUM_PLUGINS__PAYMENTS__STRICT": "true",
        "LYCEUM_PLUGINS__PAYMENTS__HOSTS": "a, b",
        "LYCEUM_PLUGINS__PAYMENTS__FEES": '{"card": 3}',
        "LYCEUM_PLUGINS__ENABLED": '["payments"]',
        "LYCEUM_CONFIG": "not a setting: it has no double underscore",
    }

    config = load([file], environ)

    assert config.plugin_settings("payments", Payments).value == Payments(
        currency="EUR", limit=7, strict=True, hosts=("a", "b"), fees={"card": 3}
    )
    assert config.plugins.enabled == ("payments",)
    assert config.mistakes == ()


def test_environment_reaches_plugins_with_hyphens() -> None:
    """A variable can hold no hyphen, so an underscore stands for it in a plugin's name."""
    config = load([], {"LYCEUM_PLUGINS__ACME_PAY__LIMIT": "3"})

    reading = config.plugin_settings("acme-pay", Payments)

    assert reading.value == Payments(limit=3)


def test_command_line_wins_over_environment() -> None:
    """What the caller gives directly wins."""
    config = load([], {"LYCEUM_SERVER__PORT": "1"}, {"server": {"port": 2}})

    assert config.server.port == 2
    assert config.where("server", "port") == "the command line"


def test_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Each mistake of every section and plugin has its line: section, key, value, file or variable, remedy."""
    file = write(
        tmp_path,
        """
[server]
prot = 80
[payment]
limit = 1
[plugins]
enabeld = []
[plugins.payments]
currency = "EURO"
limit = 0
mode = "off"
hosts = ["a", 1]
colour = "red"
""",
    )

    message = refusal(load([file], {"LYCEUM_LOG__LEVEL": "loud", "LYCEUM_SERVER__PORT": "http"}))

    assert message == (
        "10 settings are wrong:\n"
        f"- [payment] is not a section ({file}): the sections are: "
        "server, database, redis, plugins, log, events, http, containment, operations, providers\n"
        f'- [server] prot is not a setting ({file}): did you mean "port"?\n'
        '- [server] port is "http" (LYCEUM_SERVER__PORT): use a whole number from 0 to 65535\n'
        f'- [plugins] enabeld is not a setting ({file}): did you mean "enabled"?\n'
        '- [log] level is "loud" (LYCEUM_LOG__LEVEL): use "debug" or "info" or "warning" or "error"\n'
        f"- [plugins.payments] colour is not a setting ({file}): "
        "the settings are: currency, limit, mode, hosts, fees, strict, key\n"
        f'- [plugins.payments] currency is "EURO" ({file}): use a three-letter ISO code such as "EUR"\n'
        f"- [plugins.payments] limit is 0 ({file}): use a whole number from 1 to 100\n"
        f'- [plugins.payments] mode is "off" ({file}): use "live" or "test"\n'
        f'- [plugins.payments] hosts[1] is ["a",1] ({file}): use a list, each text in quotes'
    )


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("handlers_at_once", 0, "use a whole number from 1 to 100"),
        ("poll", 0, "use a number from 0.01 to 86400"),
        ("retention_days", 0, "use a whole number from 1 to 3650"),
        ("attempts", 0, "use a whole number from 1 to 100"),
        ("drain", -1, "use a number from 0 to 600"),
    ],
)
def test_events_that_would_never_be_carried_are_refused(key: str, value: int, remedy: str) -> None:
    """What would stop the events in silence, spin or delete the log is a mistake."""
    config = load([], {}, {"events": {key: value}})

    assert [str(mistake) for mistake in config.mistakes] == [f"[events] {key} is {value} (the command line): {remedy}"]


@pytest.mark.parametrize("currency", ["EURO", "eur", "E1R", "EUR\n"])
def test_currency_that_is_none_is_refused(currency: str) -> None:
    """The currency of the deployment is a code that everybody reads alike."""
    config = load([], {}, {"server": {"currency": currency}})

    (mistake,) = config.mistakes
    assert str(mistake) == (
        f"[server] currency is {json.dumps(currency)} (the command line): "
        'use a three-letter ISO code in capitals such as "EUR"'
    )


@pytest.mark.parametrize("rate", ["fast", "0/minute", "10", "10/minute\n"])
def test_rate_that_is_none_is_refused(rate: str) -> None:
    """A limit that can not be counted is found before the first request."""
    config = load([], {}, {"http": {"unsafe_rate": rate}})

    assert [str(mistake) for mistake in config.mistakes] == [
        f'[http] unsafe_rate is {json.dumps(rate)} (the command line): use a rate such as "10/minute" or "100/2 hour"'
    ]


@pytest.mark.parametrize("rate", ["300/minute", "5/2 hour", "1/second", "10000/day"])
def test_rates_are_what_the_limiter_reads(rate: str) -> None:
    """Each rate that the settings accept can be counted."""
    assert load([], {}, {"http": {"unsafe_rate": rate}}).http.unsafe_rate == rate
    assert parse_rate(rate).amount > 0


def test_section_that_is_one_value_is_refused(tmp_path: Path) -> None:
    """A value where a table belongs is not passed over."""
    file = write(tmp_path, 'redis = "redis://localhost"\n')

    assert refusal(load([file], {})) == (
        f"a setting is wrong:\n- [redis] is one value ({file}): write a table, [redis]"
    )


def test_setting_that_must_be_set() -> None:
    """A setting without a default has to be there."""

    class Needy(Settings, frozen=True):
        host: str

    assert refusal(load([], {}), Needy) == (
        "a setting is wrong:\n- [plugins.payments] host is not set: use text in quotes"
    )


def test_settings_that_do_not_fit_together(tmp_path: Path) -> None:
    """What `__post_init__` raises is reported with the section."""

    class Pair(Settings, frozen=True):
        low: int = 1
        high: int = 2

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("set 'low' to no more than 'high'")

    file = write(tmp_path, "[plugins.payments]\nlow = 3\n")

    assert refusal(load([file], {}), Pair) == (
        f"a setting is wrong:\n- [plugins.payments] is refused ({file}): set 'low' to no more than 'high'"
    )


def test_nested_settings_are_read_field_by_field(tmp_path: Path) -> None:
    """A Struct within the settings is a table of its own."""

    file = write(tmp_path, '[plugins.payments.inner]\nsize = "big"\n')

    assert refusal(load([file], {}), Outer) == (
        f'a setting is wrong:\n- [plugins.payments.inner] size is "big" ({file}): use a whole number'
    )


def test_secret_comes_by_reference(tmp_path: Path) -> None:
    """A secret is read from the variable or file that the setting names, and never shown."""
    hidden = write(tmp_path, "from-file\n", "key")
    by_file = load([], {}, {"plugins": {"payments": {"key": f"file:{hidden}"}}})
    by_variable = load([], {"KEY": "from-env"}, {"plugins": {"payments": {"key": "env:KEY"}}})

    first = by_file.plugin_settings("payments", Payments).value
    second = by_variable.plugin_settings("payments", Payments).value

    assert first is not None
    assert first.key is not None
    assert first.key.reveal() == "from-file"
    assert second is not None
    assert second.key is not None
    assert second.key.reveal() == "from-env"
    assert "from-env" not in repr(second)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("hunter2", 'a secret is given by reference; write "env:NAME" or "file:PATH"'),
        ("env:NOT_SET", "set the environment variable NOT_SET, to which it refers"),
        ("file:/not/there", "make the file /not/there readable, to which it refers (No such file or directory)"),
    ],
)
def test_secret_that_is_no_reference_is_refused_unseen(given: str, remedy: str) -> None:
    """A literal secret is refused, wherever it stands, and not repeated."""
    from_file = load([], {}, {"plugins": {"payments": {"key": given}}})
    from_environment = load([], {"LYCEUM_PLUGINS__PAYMENTS__KEY": given})

    assert refusal(from_file) == (
        f"a setting is wrong:\n- [plugins.payments] key is wrong (the command line): {remedy}"
    )
    assert refusal(from_environment) == (
        f"a setting is wrong:\n- [plugins.payments] key is wrong (LYCEUM_PLUGINS__PAYMENTS__KEY): {remedy}"
    )


def test_secret_within_a_table_is_refused_unseen(tmp_path: Path) -> None:
    """Neither it nor what stands beside it is repeated."""
    file = write(tmp_path, '[plugins.payments.shops.one]\nkey = "hunter2"\n')

    told = refusal(load([file], {}), Shops)

    assert "[plugins.payments] shops is wrong" in told
    assert "a secret is given by reference" in told
    assert "hunter2" not in told


def test_password_in_a_url_stays_out_of_files(tmp_path: Path) -> None:
    """A URL with a password is a secret: by reference, or in the environment."""
    url, secret = "postgresql://lyceum:pw@db/lyceum", "x" * 32
    file = write(tmp_path, f'[database]\nurl = "{url}"\n')

    refused = load([file], {"S": secret, "LYCEUM_SERVER__SECRET": "env:S"})
    taken = load([], {"S": secret, "LYCEUM_SERVER__SECRET": "env:S", "LYCEUM_DATABASE__URL": url})

    assert [str(mistake) for mistake in refused.mistakes] == [
        f'[database] url is wrong ({file}): a password does not belong in a file; write "env:NAME" or "file:PATH"'
    ]
    assert taken.mistakes == ()
    assert taken.database.url == url
    assert "pw" not in repr(taken.database)


def test_own_database_of_a_plugin() -> None:
    """A plugin's own url leaves the other settings of `[database]` as they are."""
    own = {"payments": {"database": {"url": "env:URL"}}}
    config = load([], {"URL": "sqlite:///elsewhere"}, {"database": {"pool_size": 9}, "plugins": own})

    mine, others = config.plugin_database("payments").value, config.plugin_database("courses").value

    assert mine is not None
    assert (mine.url, mine.pool_size) == ("sqlite:///elsewhere", 9)
    assert others is not None
    assert (others.url, others.pool_size) == ("sqlite:///var", 9)


def test_section_of_no_plugin_is_refused() -> None:
    """Settings for a plugin that is not installed would be settings that do nothing."""
    config = load([], {}, {"plugins": {"paymnets": {"limit": 3}}})

    (mistake,) = config.strangers(["payments"])
    assert str(mistake) == (
        "[plugins.paymnets] belongs to no installed plugin (the command line): "
        "install the plugin, mend the name, or remove the section"
    )


def test_file_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    """Each file that is missing or no TOML is named with its line."""
    broken, missing = write(tmp_path, "[server\n"), tmp_path / "missing.toml"

    with pytest.raises(errors.InvalidSettings) as refused:
        load([broken, missing], {})

    assert str(refused.value) == (
        f"{broken} is not TOML: Expected ']' at the end of a table declaration (at line 1, column 8); mend the line\n"
        f"{missing} can not be read (No such file or directory); create it, or leave it out of --config"
    )


def test_processes_without_redis_are_refused() -> None:
    """More than one process needs Redis."""
    config = load([], {}, {"server": {"workers": 2}})

    assert [str(mistake) for mistake in config.mistakes] == [
        "[server] workers is 2 (the command line): more than one process needs Redis; set [redis] url, or 1 worker"
    ]


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        ({"host": "0.0.0.0"}, 'host is "0.0.0.0"'),
        ({"host": "::"}, 'host is "::"'),
        ({"host": "192.0.2.1"}, 'host is "192.0.2.1"'),
        ({"public_url": "https://learn.example.org"}, 'public_url is "https://learn.example.org"'),
        ({"public_url": "http://[broken"}, 'public_url is "http://[broken"'),
    ],
)
def test_development_that_others_can_reach_is_refused(server: dict[str, str], shown: str) -> None:
    """The mailbox of a development deployment shows everybody's sign-in codes."""
    config = load([], {}, {"server": {"development": True, **server}})

    (mistake,) = config.mistakes
    assert str(mistake) == (
        f"[server] development is true and {shown} (the command line): "
        "whoever comes from another machine would read everybody's sign-in codes in the mailbox; "
        'set development = false, or host = "127.0.0.1" and no public_url'
    )
    assert load([], {}, {"server": server}).mistakes == ()


@pytest.mark.parametrize(
    "server",
    [
        {},
        {"host": "127.0.0.7"},
        {"host": "::1"},
        {"host": "localhost"},
        {"public_url": "http://localhost:8080"},
        {"public_url": "http://lyceum.localhost/"},
        {"public_url": "http://[::1]:8080"},
    ],
)
def test_development_on_this_machine_alone_is_fine(server: dict[str, str]) -> None:
    """Who can not be reached shows nobody anything."""
    assert load([], {}, {"server": {"development": True, **server}}).mistakes == ()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("learn.example.org", "http://learn.example.org:8080"),
        ("::1", "http://[::1]:8080"),
    ],
)
def test_url_is_that_of_the_host(host: str, url: str) -> None:
    """Without a public url people come to the host itself; an IPv6 address stands in brackets."""
    assert load([], {}, {"server": {"host": host}}).server.url() == url


def test_postgresql_without_secret_is_refused() -> None:
    """A production deployment brings its own secret."""
    config = load([], {}, {"database": {"url": "postgresql://db/lyceum"}})

    (mistake,) = config.mistakes
    assert str(mistake) == (
        '[server] secret is not set: refer to at least 32 random bytes, such as "env:LYCEUM_SECRET" '
        "(`openssl rand -hex 32` makes some)"
    )


def test_short_secret_is_refused() -> None:
    """A secret that can be guessed is none."""
    config = load([], {"S": "short"}, {"server": {"secret": "env:S"}})

    (mistake,) = config.mistakes
    assert str(mistake) == (
        "[server] secret is too short (the command line): refer to at least 32 random bytes, "
        'such as "env:LYCEUM_SECRET" (`openssl rand -hex 32` makes some)'
    )


def test_sqlite_keeps_a_secret_beside_its_files(tmp_path: Path) -> None:
    """Without a configured secret one is made once, readable by its owner only."""
    config = load([], {}, {"database": {"url": f"sqlite:///{tmp_path}/var"}})

    first, second = deployment_secrets(config), deployment_secrets(config)

    assert first.derive("x") == second.derive("x")
    assert (tmp_path / "var" / "secret").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "var").iterdir()] == ["secret"]
