"""What a command stands on: the configuration files, the database's URL, the revisions."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from topchef_schema import collecting
from topchef_schema.errors import UnreachableError, UsageError
from topchef_schema.model import DatabaseUrl, Environment
from topchef_schema.settings import Settings, parse_settings

if TYPE_CHECKING:
    from topchef_schema.bridge.revisions import Revisions

URL_VARIABLE = "TOPCHEF_DATABASE_URL"


class _Given(NamedTuple):
    environment: Environment
    settings: Settings
    packaged: bool = False


class Project(_Given):
    """An Alembic project and the database a command works on.

    *packaged* tells that no configuration was found and TopChef's own project is used.
    """

    @classmethod
    def load(
        cls,
        config: str | os.PathLike[str] | None = None,
        *,
        section: str | None = None,
        x: Sequence[str] = (),
        url: str | None = None,
        url_env: str | None = None,
        url_file: str | os.PathLike[str] | None = None,
        settings: str | os.PathLike[str] | None = None,
    ) -> Project:
        """Find the project and its database.

        Without *config*: ``./alembic.ini``, then ``./pyproject.toml`` with ``[tool.alembic]``,
        then the project packaged with topchef_schema. The database: one of *url*, *url_env* (the
        name of an environment variable) and *url_file* (a file that holds it), else
        ``TOPCHEF_DATABASE_URL``, else what the project says.

        Raises `UsageError` for what cannot be read or is unknown.
        """
        ini, toml, packaged = _configuration_files(config)
        section = section or "alembic"
        here = Path(ini or toml or ".").absolute().parent
        known = _read_settings(ini, toml, settings)
        explicit = _explicit_url(url, url_env, url_file)
        if explicit is not None and known.databases:
            raise UsageError(
                f"{explicit.source} names one database, and this project has several",
                where="setting databases",
                hint="leave it out: their URLs are those of the sections "
                + ", ".join(f"[{each}]" for each in known.databases),
            )
        environment = Environment(
            ini=None if ini is None else str(ini),
            toml=None if toml is None else str(toml),
            section=section,
            x=tuple(x),
            url=explicit or (None if known.databases else _only_url(ini, here, section, x, known)),
            urls=_section_urls(ini, known),
            url_env=known.url_env,
            url_x=known.url_x,
            url_option=known.url_option,
            drivers=known.drivers,
            prepare=known.prepare,
            metadata=known.metadata,
            transaction_per_migration=known.transaction_per_migration,
        )
        return cls(environment, known, packaged)

    @cached_property
    def revisions(self) -> Revisions:
        """The project's revisions; raises `UsageError` for a file that cannot be read."""
        from topchef_schema.bridge.revisions import Revisions

        found = Revisions.load(self.environment)
        collecting.keep()
        return found

    def __getstate__(self) -> dict[str, Any]:
        # Revision modules cannot be sent to another process; it reads them itself.
        return {key: value for key, value in vars(self).items() if key != "revisions"}

    @property
    def databases(self) -> tuple[str | None, ...]:
        """The names of its databases; of one that has no name, as in most projects: None."""
        return self.settings.databases or (None,)

    def at(self, urls: Mapping[str | None, str], source: str) -> Project:
        """Return the same project on scratch databases, one for each of `databases`."""
        named = {name: DatabaseUrl(url, source) for name, url in urls.items()}
        one = named.pop(None, None)
        several = {name: url for name, url in named.items() if name is not None}
        environment = self.environment._replace(url=one, urls=several, scratch=True)
        return self._replace(environment=environment)

    @property
    def backends(self) -> tuple[str, ...]:
        """The names for ``--on`` where none is given: settings, else the URLs', else SQLite."""
        if self.settings.backends:
            return self.settings.backends
        from topchef_schema import backends

        named = [url for _, url in self.environment.named]
        found = [backends.for_url(parse_url(each), where=each.source).name for each in named]
        return tuple(dict.fromkeys(found)) or ("sqlite",)


def command_settings(
    config: str | None, settings: str | None
) -> tuple[Mapping[str, Mapping[str, Any]], str]:
    """Return the defaults that the settings hold for each command, and where they stand."""
    ini, toml, _ = _configuration_files(config)
    known = _read_settings(ini, toml, settings)
    return known.commands, str(settings or ini or toml)


def parse_url(url: DatabaseUrl) -> Any:
    """Return *url* as a SQLAlchemy URL; raises `UsageError` without repeating it."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url.text)
    except (ArgumentError, ValueError):
        # The driver's own message repeats the URL, and the password with it.
        raise UsageError(
            "this is not a database URL",
            where=url.source,
            hint="write dialect+driver://user:password@host:port/database, with special "
            "characters of the password percent-encoded (@ is %40)",
        ) from None


def packaged_config() -> Path:
    """Return the ``alembic.ini`` of TopChef's own project.

    A wheel carries a copy; an editable install has none, and the checkout's top level serves.
    """
    package = Path(__file__).parent
    inside = package / "packaged" / "alembic.ini"
    return inside if inside.exists() else package.parent / "alembic.ini"


def _configuration_files(
    config: str | os.PathLike[str] | None,
) -> tuple[Path | None, Path | None, bool]:
    """Return the ini file, the toml file, and whether it is the packaged project."""
    if config is not None:
        path = Path(config)
        if not path.is_file():
            raise UsageError(
                "there is no such configuration file",
                where=str(config),
                hint="give the path of an alembic.ini or pyproject.toml to -c",
            )
        beside = path.parent / ("alembic.ini" if path.suffix == ".toml" else "pyproject.toml")
        if path.suffix == ".toml":
            return (beside if beside.is_file() else None), path, False
        return path, (beside if has_alembic_table(beside) else None), False
    ini, toml = Path("alembic.ini"), Path("pyproject.toml")
    has_toml = has_alembic_table(toml)
    if ini.is_file():
        return ini, (toml if has_toml else None), False
    if has_toml:
        return None, toml, False
    return packaged_config(), None, True


def has_alembic_table(path: Path) -> bool:
    """Whether *path* has ``[tool.alembic]``; raises `UsageError` where it is not valid TOML."""
    return path.is_file() and "alembic" in _read_toml(path).get("tool", {})


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"this file is not valid TOML: {error}", where=str(path), hint="correct it"
        ) from None


def read_ini(path: Path) -> configparser.ConfigParser:
    """Read an ini file as Alembic does; raises `UsageError` without repeating what is in it."""
    here = path.absolute().parent.as_posix()
    parser = configparser.ConfigParser({"here": here})
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (configparser.Error, UnicodeDecodeError) as error:
        # configparser quotes the offending line, which may be the URL's.
        line = getattr(error, "lineno", None)
        twice = getattr(error, "option", None) or getattr(error, "section", None)
        raise UsageError(
            f'"{twice}" stands twice' if twice else "this file is not a valid ini file",
            where=f"{path}:{line}" if line else str(path),
            hint="correct it; every line is [section], key = value, or a # comment",
        ) from None
    return parser


def _read_settings(
    ini: Path | None, toml: Path | None, given: str | os.PathLike[str] | None
) -> Settings:
    """Read ``--settings``, else ``[topchef]`` of the ini, else ``[tool.topchef]`` of the toml."""
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise UsageError(
                "there is no such settings file",
                where=str(path),
                hint="give a file with a [topchef] section (ini) or a [tool.topchef] table (toml)",
            )
        raw = _toml_settings(path) if path.suffix == ".toml" else _ini_settings(path)
        return parse_settings(raw, where=str(path))
    if ini is not None and (raw := _ini_settings(ini)):
        return parse_settings(raw, where=f"{ini} [topchef]")
    beside = toml or (ini.parent / "pyproject.toml" if ini is not None else None)
    if beside is not None and beside.is_file():
        return parse_settings(_toml_settings(beside), where=f"{beside} [tool.topchef]")
    return Settings()


def _toml_settings(path: Path) -> Mapping[str, Any]:
    document = _read_toml(path)
    found = document.get("tool", {}).get("topchef", document.get("topchef", {}))
    return dict(found)


def _ini_settings(path: Path) -> Mapping[str, Any]:
    parser = read_ini(path)
    settings: dict[str, Any] = {}
    for section in parser.sections():
        values = {
            key: parser.get(section, key, raw=section != "topchef")
            for key in parser[section]
            if key not in parser.defaults()
        }
        if section == "topchef":
            settings |= values
        elif section.startswith("topchef."):
            settings[section.removeprefix("topchef.")] = values
    return settings


def _explicit_url(
    url: str | None, url_env: str | None, url_file: str | os.PathLike[str] | None
) -> DatabaseUrl | None:
    if sum(each is not None for each in (url, url_env, url_file)) > 1:
        raise UsageError(
            "the database is named more than once",
            where="--url, --url-env, --url-file",
            hint="give one of them",
        )
    if url is not None:
        return DatabaseUrl(url, "--url")
    if url_env is not None:
        return DatabaseUrl(_from_variable(url_env), f"--url-env {url_env}")
    if url_file is not None:
        return DatabaseUrl(_from_file(Path(url_file)), f"--url-file {url_file}")
    value = os.environ.get(URL_VARIABLE, "").strip()
    return DatabaseUrl(value, URL_VARIABLE) if value else None


def _from_variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(
            f'the environment variable "{name}" is not set',
            where="--url-env",
            hint=f"export {name}=dialect+driver://user:password@host/database",
        )
    return value


def _from_file(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not readable as text"
        raise UnreachableError(
            f"the file with the database URL cannot be read: {reason}",
            where=f"--url-file {path}",
            hint="give a file whose only line is the URL",
        ) from None
    if not text:
        raise UsageError(
            "the file with the database URL is empty",
            where=f"--url-file {path}",
            hint="write the URL into it",
        )
    return text


def _only_url(
    ini: Path | None, here: Path, section: str, x: Sequence[str], settings: Settings
) -> DatabaseUrl | None:
    """Return what the project itself says of its one database; None where only env.py knows."""
    return _given_to_env(x, settings) or _project_url(ini, here, section, settings)


def _given_to_env(x: Sequence[str], settings: Settings) -> DatabaseUrl | None:
    """Return the URL that env.py is given where it looks for it, whatever the ini file says.

    None where it is in words of the application (``postgres://``) that only env.py understands.
    """
    from topchef_schema import backends

    pairs = dict(each.partition("=")[::2] for each in x)
    found = DatabaseUrl(pairs.get(settings.url_x or "", ""), f"-x {settings.url_x}")
    if not found.text and settings.url_env:
        found = DatabaseUrl(os.environ.get(settings.url_env, "").strip(), settings.url_env)
    if not found.text:
        return None
    scheme = found.text.partition(":")[0].partition("+")[0]
    known = any(scheme in each.dialects for each in backends.all_backends().values())
    return found if known else None


def _project_url(
    ini: Path | None, here: Path, section: str, settings: Settings
) -> DatabaseUrl | None:
    """Return what the project itself says; None where only env.py knows."""
    option = settings.url_option or "sqlalchemy.url"
    if ini is not None:
        parser = read_ini(ini)
        value = _interpolated(parser, section, option, ini)
        # Alembic's template ships this placeholder; it names no database.
        if value and not value.startswith("driver://"):
            return DatabaseUrl(value, f"{option} in {ini}")
    if settings.default_url:
        text = settings.default_url.replace("%(here)s", here.as_posix())
        return DatabaseUrl(text, "default_url of the settings")
    return None


def _section_urls(ini: Path | None, settings: Settings) -> Mapping[str, DatabaseUrl]:
    """Return what the sections of several databases say; none where only env.py knows."""
    if ini is None or not settings.databases:
        return {}
    parser = read_ini(ini)
    option = settings.url_option or "sqlalchemy.url"
    found = {}
    for name in settings.databases:
        value = _interpolated(parser, name, option, ini)
        if value and not value.startswith("driver://"):
            found[name] = DatabaseUrl(value, f"[{name}] {option} in {ini}")
    return found if len(found) == len(settings.databases) else {}


def _interpolated(
    parser: configparser.ConfigParser, section: str, option: str, path: Path
) -> str | None:
    try:
        return parser.get(section, option, fallback="").strip() or None
    except configparser.Error:
        raise UsageError(
            f'"{option}" cannot be read: a "%" in it is not doubled',
            where=f"{path} [{section}]",
            hint='write "%%" for "%" in ini files, or keep the URL out of the file: --url-env NAME',
        ) from None
