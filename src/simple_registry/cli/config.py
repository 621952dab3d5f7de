"""`config`: the settings with which `serve` would run, shown with their origins, or checked.

show    0, 2 when the configuration is wrong
check   0 the server would start with them     1 it would not
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TextIO

from simple_registry.cli.data_commands import table
from simple_registry.cli.options import CFGDIR, CommandLine, Parser, UsageError, add_options, given_line, variables
from simple_registry.cli.policy import checked
from simple_registry.cli.serve import read_configuration, warnings_of
from simple_registry.config.configuration import Given
from simple_registry.config.effective import Effective, effective, of_option
from simple_registry.config.load import Configured
from simple_registry.config.settings import Settings
from simple_registry.server.logging import printable

_HELP = """\
usage: simple-registry config show [-json] [OPTION ...]
       simple-registry config check [OPTION ...]

Give the options and variables of the server: OPTION is any of 'simple-registry help serve'.

show: prints every setting, its value, and where it comes from: the default, a file and line, a variable or an option.
Secrets are shown as ***.
check: reports whether the server would start with these settings, documents, password file and certificate. Prints
errors and warnings with file and line. It opens neither addresses nor the data directory nor the audit log.

  -json                print JSON

Exit code: 0 success, 1 'check' found an error, 2 invalid arguments or, for 'show', a wrong configuration.
"""


def config(arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO) -> int:
    """Run `config` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError.
    """
    parser = Parser("config", _HELP)
    parser.add_argument("action", nargs="?")
    add_options(parser)
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    line = given_line(parser, vars(asked), environment)
    match asked.action:
        case "show":
            _show(list(_settings(line, asked.cfgdir, environment)), stdout, as_json=asked.json)
            return 0
        case "check" if not asked.json:
            return checked(line.config_dirs, stdout, lambda _: _checked(line))
        case _:
            raise UsageError(
                "usage: config show [-json] [OPTION ...], or config check [OPTION ...]; see 'config -help'"
            )


def _settings(line: CommandLine, directories: Sequence[str], environment: Mapping[str, str]) -> Iterator[Effective]:
    given = Given(f"-{CFGDIR.name}", tuple(directories)) if directories else None
    given = given or variables(environment, [CFGDIR]).get(CFGDIR.name)
    yield of_option("-cfgdir", given, given.texts) if given else Effective("-cfgdir", ())
    configured = read_configuration(line)
    configuration = configured.documents.value.configuration
    yield from effective(configured.settings, configuration, line.flags, line.environment)


def _show(found: Sequence[Effective], stdout: TextIO, *, as_json: bool) -> None:
    if as_json:
        settings = [
            {"name": each.name, "values": each.values, "origin": {"layer": each.layer, "place": each.place}}
            for each in found
        ]
        stdout.write(json.dumps({"settings": settings}, indent=2) + "\n")
        return
    rows = [
        (each.name, printable(" ".join(each.values) or "none"), printable(each.place or "default")) for each in found
    ]
    stdout.writelines(f"{printable(line.rstrip())}\n" for line in table([("SETTING", "VALUE", "FROM"), *rows]))


def _checked(line: CommandLine) -> Settings:
    """Return the settings, with every warning of a start.

    Raises: ConfigError when the server would not start with them.
    """
    configured = read_configuration(line)
    return replace(configured.settings, warnings=(*warnings_of(configured), *_about_expiry(configured)))


def _about_expiry(configured: Configured) -> Iterator[str]:
    """Yield the warning about the end of the certificate, which the server gives while it runs."""
    certificate, tls = configured.certificate, configured.settings.tls
    if certificate is None or tls is None:
        return
    from simple_registry.config.tls import expiry_warning  # noqa: PLC0415 (only where there is TLS)

    if warning := expiry_warning(tls, certificate.value, time.time()):
        yield warning
