"""The `[topchef]` section of a project: read once, every key known, every mistake named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from topchef_schema.errors import UsageError

if TYPE_CHECKING:
    from topchef_schema.model import Exemption


class Settings(NamedTuple):
    """What a project tells topchef-db about itself. Every key is optional.

    *metadata* (``module:attribute``) is used only where env.py sets no ``target_metadata``.
    *documents* (``module:attribute``) is what ``topchef-db documents`` checks.
    *backends* are the names for ``--on``. *url_env*, *url_x*, *url_option*, *drivers* and
    *prepare* say how env.py takes its URL, *databases* are the ini sections that hold the URLs of a
    project that migrates several in one run. *default_url* is used where nothing else names a
    database. *bundles* are the folders of bundles that are to be fresh, from that of the
    configuration on, with ``*`` for any name. *allow* are findings that are declared, from
    ``[topchef.roundtrip]``. *commands* holds defaults of single commands, from
    ``[topchef.COMMAND]``.
    """

    metadata: str | None = None
    documents: str | None = None
    backends: tuple[str, ...] = ()
    transaction_per_migration: bool | None = None
    url_env: str | None = None
    url_x: str | None = None
    url_option: str | None = None
    databases: tuple[str, ...] = ()
    default_url: str | None = None
    drivers: Mapping[str, str] = {}
    prepare: str | None = None
    baseline: str | None = None
    changed_files: str = "warn"
    bundles: tuple[str, ...] = ()
    allow: tuple[Exemption, ...] = ()
    commands: Mapping[str, Mapping[str, Any]] = {}


_KEYS = {*Settings._fields} - {"commands", "allow"}


def parse_settings(raw: Mapping[str, Any], *, where: str) -> Settings:
    """Return the settings in *raw*; nested mappings (but ``drivers``) are per-command defaults.

    Raises `UsageError` for an unknown key, naming the nearest one, and for a wrong value.
    """
    values: dict[str, Any] = {}
    commands: dict[str, dict[str, Any]] = {}
    for key, value in raw.items():
        name = key.replace("-", "_")
        if isinstance(value, Mapping) and name != "drivers":
            commands[key] = dict(value)
            if key == "roundtrip" and "allow" in value:
                allowed = commands[key].pop("allow")
                values["allow"] = _exemptions(allowed, f"{where}, roundtrip, allow")
        elif name not in _KEYS:
            raise _unknown(key, where)
        else:
            values[name] = _CONVERT.get(name, _text)(value, f"{where}, {key}")
    return Settings(**values, commands=commands)


def _unknown(key: str, where: str) -> UsageError:
    import difflib

    near = difflib.get_close_matches(key, sorted(_KEYS), n=1)
    hint = f'did you mean "{near[0]}"?' if near else "known: " + ", ".join(sorted(_KEYS))
    return UsageError(f'unknown setting "{key}"', where=where, hint=hint)


def _text(value: object, where: str) -> str | None:
    if not isinstance(value, str):
        raise UsageError(f"expected text, found {value!r}", where=where, hint="put it in quotes")
    return value.strip() or None


def _names(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    text = _text(value, where) or ""
    return tuple(text.replace(",", " ").split())


def _boolean(value: object, where: str) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).strip().lower() not in words:
        raise UsageError(f'"{value}" is not true or false', where=where, hint="write true or false")
    return words[str(value).strip().lower()]


def _pairs(value: object, where: str) -> Mapping[str, str]:
    """Read ``postgresql = asyncpg`` lines, or a table."""
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    pairs = {}
    for line in (_text(value, where) or "").replace(",", "\n").splitlines():
        dialect, separator, driver = line.partition("=")
        if line.strip():
            if not separator:
                raise UsageError(
                    f'"{line.strip()}" is not DIALECT = DRIVER',
                    where=where,
                    hint="for example: postgresql = asyncpg",
                )
            pairs[dialect.strip()] = driver.strip()
    return pairs


def _exemptions(value: object, where: str) -> tuple[Exemption, ...]:
    """Read ``RULE REVISION [OBJECT] : reason`` lines, or a list of these or of tables."""
    given = value if isinstance(value, list) else (_text(value, where) or "").splitlines()
    if not given:
        return ()
    from topchef_schema.model import Exemption

    found = []
    for each in given:
        exemption = None
        if isinstance(each, Mapping):
            parts = {str(key): str(item).strip() for key, item in each.items()}
            if {"rule", "revision", "reason"} <= set(parts) <= {*_EXEMPTION} and all(
                parts.values()
            ):
                exemption = Exemption(
                    parts["rule"], parts["revision"], parts.get("object"), parts["reason"], where
                )
        elif str(each).strip():
            exemption = Exemption.parse(str(each), where)
        else:
            continue
        if exemption is None:
            raise UsageError(
                f'"{each}" declares nothing',
                where=where,
                hint="write RULE REVISION [OBJECT] : reason, for example "
                "data-lost 3f5b column items.price : prices are kept elsewhere",
            )
        found.append(exemption)
    return tuple(found)


_EXEMPTION = ("rule", "revision", "object", "reason")


def _changed_files(value: str, where: str) -> str:
    if value not in ("warn", "refuse"):
        raise UsageError(f'"{value}" is not known', where=where, hint='write "warn" or "refuse"')
    return value


_CONVERT: Mapping[str, Any] = {
    "backends": _names,
    "bundles": _names,
    "databases": _names,
    "transaction_per_migration": _boolean,
    "drivers": _pairs,
    "changed_files": _changed_files,
}
