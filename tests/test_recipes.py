"""The recipes of docs/deploying.md are run, as far as it goes without a cluster."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.busy_migrator import WAITS, at_work, wait_for
from tests.test_docs import failures
from tests.whole_projects import MakeProject, Whole, execute, query, revision, start, text
from topchef_schema import errors, upgrade

if TYPE_CHECKING:
    from topchef_schema.backends.base import ScratchDatabase

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "docs" / "recipes"
PROGRAMS = Path(sys.executable).parent
COMMIT = "c0ffee0123456789"
RETRIED = {3, 4, 130}
CODES = {1, 10, *(kind.exit_code for kind in failures(errors.TopchefError))}

one_of_each = pytest.mark.backends("sqlite", "postgresql")


def manifest(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((RECIPES / name).read_text())
    return loaded


def test_the_page_shows_every_recipe() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text()
    shown = re.findall(r"^```\{literalinclude\} recipes/(\S+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(path.name for path in RECIPES.iterdir())


class Machine:
    """A folder with the project as an image has it, secrets, and what is run there."""

    def __init__(self, shop: Whole, url: str) -> None:
        self.shop = shop
        self.secrets = shop.root.parent / "secrets"
        self.secrets.mkdir()
        (self.secrets / "database-url").write_text(url + "\n")
        self.environment = {
            "PATH": os.pathsep.join([str(PROGRAMS), os.defpath]),
            "HOME": str(self.secrets),
            "LC_ALL": "C.UTF-8",
            **image("env"),
        }

    def process(self, command: list[str], **environment: str) -> subprocess.Popen[str]:
        return start(command, self.shop.root, self.environment | environment)

    def run(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.process(command, **environment)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def of_container(self, pod: dict[str, Any], container: dict[str, Any]) -> list[str]:
        """Return what a container runs, its secret lying where it is mounted."""
        return self.mounted(pod, container, container["command"])

    def mounted(
        self, pod: dict[str, Any], container: dict[str, Any], command: list[str]
    ) -> list[str]:
        (mount,) = container["volumeMounts"]
        (volume,) = (each for each in pod["volumes"] if each["name"] == mount["name"])
        (item,) = volume["secret"]["items"]
        path = f"{mount['mountPath']}/{item['path']}"
        assert any(path in word for word in command)
        assert container["workingDir"] == image("workdir")["workdir"]
        return [word.replace(path, str(self.secrets / "database-url")) for word in command]


def image(what: str) -> dict[str, str]:
    """Return the environment of the image that the Dockerfile makes, or its working folder."""
    lines = (RECIPES / "Dockerfile").read_text().splitlines()
    given = {name: COMMIT for name in re.findall(r"^ARG (\w+)$", "\n".join(lines), re.MULTILINE)}
    if what == "workdir":
        return {"workdir": next(each.split()[1] for each in lines if each.startswith("WORKDIR"))}
    pairs = (line.split()[1].split("=") for line in lines if line.startswith("ENV "))
    return {name: string.Template(value).substitute(given) for name, value in pairs}


@pytest.fixture
def machine(project: MakeProject, scratch: ScratchDatabase) -> Machine:
    return Machine(project("linear"), text(scratch))


def at(scratch: ScratchDatabase) -> list[str]:
    return [row[0] for row in query(scratch, "SELECT version_num FROM alembic_version")]


def job(machine: Machine) -> list[str]:
    pod = manifest("kubernetes-job.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return machine.of_container(pod, container)


def test_extras_that_are_installed_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [path.read_text() for path in RECIPES.iterdir()]
    named = re.findall(r"topchef-schema\[(\w+)\]", "\n".join(texts))
    assert named
    assert set(named) <= set(extras["optional-dependencies"])


def test_the_job_gives_up_where_no_retry_helps() -> None:
    spec = manifest("kubernetes-job.yaml")["spec"]
    rule = spec["podFailurePolicy"]["rules"][0]
    assert rule["action"] == "FailJob"
    assert set(rule["onExitCodes"]["values"]) == CODES - RETRIED
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # else Kubernetes refuses the policy
    assert rule["onExitCodes"]["containerName"] == pod["containers"][0]["name"]


@one_of_each
def test_job(machine: Machine, scratch: ScratchDatabase) -> None:
    command = job(machine)
    done = machine.run(command)
    assert done.returncode == 0, done.stderr
    assert at(scratch) == ["cc30"]
    assert query(scratch, "SELECT DISTINCT git_commit FROM topchef_history") == [(COMMIT,)]
    assert all(line.startswith("{") for line in done.stderr.splitlines())
    assert machine.run(command).returncode == 0
    with at_work(machine.shop, text(scratch), after="cc30"):
        done = machine.run([each.replace("=600", "=0") for each in command])
    assert done.returncode == 4, done.stderr
    machine.shop.write("alembic/versions/gg00_fails.py", fails_after("ff99"))
    done = machine.run(command)
    assert done.returncode == 5, done.stderr


def fails_after(down: str) -> str:
    return revision("gg00", 'op.drop_table("no_such_table")', down=down)


@one_of_each
def test_a_job_that_is_evicted_is_gone_on_with(machine: Machine, scratch: ScratchDatabase) -> None:
    machine.shop.write("alembic/versions/dd40_waits.py", revision("dd40", WAITS, down="cc30"))
    process = machine.process(job(machine))
    wait_for(machine.shop.root / "at-work", process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (machine.shop.root / "go").touch()
    assert machine.run(job(machine)).returncode == 0
    assert at(scratch) == ["dd40"]


def test_replicas_that_start_at_once(machine: Machine, scratch: ScratchDatabase) -> None:
    spec = manifest("kubernetes-init-container.yaml")["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["initContainers"]
    command = machine.of_container(pod, container)
    started = [machine.process(command) for _ in range(spec["replicas"])]
    ends = [(process.communicate(timeout=240)[1], process.returncode) for process in started]
    assert [code for _, code in ends] == [0] * spec["replicas"], ends
    runs = query(scratch, "SELECT DISTINCT run_id FROM topchef_history")
    assert len(runs) == 1
    assert at(scratch) == ["cc30"]


@one_of_each
def test_an_old_release_does_not_start_on_a_newer_database(
    machine: Machine, scratch: ScratchDatabase
) -> None:
    upgrade(machine.shop.on(scratch))
    next(machine.shop.versions.glob("cc30*")).unlink()
    assert machine.run(job(machine)).returncode == 8
    assert machine.run(probe(machine)).returncode == 8
    assert at(scratch) == ["cc30"]


def probe(machine: Machine) -> list[str]:
    pod = manifest("kubernetes-startup-probe.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    asked = container["startupProbe"]
    assert asked["timeoutSeconds"] > 1
    assert "readinessProbe" not in container
    return machine.mounted(pod, container, asked["exec"]["command"])


@one_of_each
def test_startup_probe(machine: Machine, scratch: ScratchDatabase) -> None:
    command = probe(machine)
    assert machine.run(command).returncode == 10
    upgrade(machine.shop.on(scratch), "bb20")
    assert machine.run(command).returncode == 10
    upgrade(machine.shop.on(scratch))
    done = machine.run(command)
    assert done.returncode == 0, done.stderr


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((RECIPES / name).read_text().replace("\\\n", " "))
    merged = {key: value for section in parser.sections() for key, value in parser[section].items()}
    parser.read_dict({"all": merged})
    return parser["all"]


@one_of_each
def test_systemd_unit(machine: Machine, scratch: ScratchDatabase) -> None:
    service, migrate = unit("shop.service"), unit("shop-migrate.service")
    assert service["Requires"] == service["After"] == "shop-migrate.service"
    assert migrate["Type"] == "oneshot"
    assert "RemainAfterExit" not in migrate
    assert migrate["LoadCredential"].startswith("database-url:")
    assert migrate["WorkingDirectory"] == image("workdir")["workdir"]
    place = f"{migrate['WorkingDirectory']}/.venv/bin"
    command = shlex.split(
        migrate["ExecStart"]
        .replace(place, str(PROGRAMS))
        .replace("${CREDENTIALS_DIRECTORY}", str(machine.secrets))
    )
    done = machine.run(command)
    assert done.returncode == 0, done.stderr
    assert at(scratch) == ["cc30"]
    machine.shop.write("alembic/versions/gg00_fails.py", fails_after("cc30"))
    assert machine.run(command).returncode == 5


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("topchef-db", "python"):
        (programs / name).symlink_to(PROGRAMS / name)
    files = []
    for path in sorted(RECIPES.glob("*.service")):
        files.append(tmp_path / path.name)
        files[-1].write_text(path.read_text().replace("/srv/shop", str(tmp_path)))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, files)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    about_ours = [line for line in done.stdout.splitlines() if "shop" in line]
    assert (done.returncode, about_ours) == (0, [])


def steps(workflow: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow["jobs"][name]["steps"]
    return found


def uses(workflow: dict[str, Any], name: str, action: str) -> dict[str, Any]:
    (step,) = (s for s in steps(workflow, name) if s.get("uses", "").startswith(action))
    given: dict[str, Any] = step["with"]
    return given


def shells(machine: Machine, name: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Start the steps of a job that have commands, as GitHub does, but those that install."""
    workflow = manifest("github-actions.yml")
    for step in steps(workflow, name):
        if "run" in step and not step["run"].startswith("pip "):
            given = {**workflow["env"], **step["env"]}
            values = {
                key: COMMIT if value == "${{ github.sha }}" else url for key, value in given.items()
            }
            file = machine.shop.write("step.sh", step["run"])
            yield machine.process(["bash", "-e", str(file)], **values)


def shell(machine: Machine, name: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run the one step of a job that is about the database."""
    (process,) = shells(machine, name, url)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(name, process.returncode, out, err)


@one_of_each
def test_a_workflow_that_is_cancelled(machine: Machine, scratch: ScratchDatabase) -> None:
    machine.shop.write("alembic/versions/dd40_waits.py", revision("dd40", WAITS, down="cc30"))
    (machine.shop.root / "go").touch()
    assert shell(machine, "plan", text(scratch)).returncode == 0
    for each in ("go", "at-work"):  # a plan is made by calling the revision
        (machine.shop.root / each).unlink()
    (process,) = shells(machine, "migrate", text(scratch))
    wait_for(machine.shop.root / "at-work", process)
    process.send_signal(signal.SIGINT)  # to the shell alone, which topchef-db has replaced
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err


@one_of_each
def test_github_actions(machine: Machine, scratch: ScratchDatabase) -> None:
    workflow = manifest("github-actions.yml")
    assert workflow["jobs"]["migrate"]["needs"] == "plan"
    kept = uses(workflow, "plan", "actions/upload-artifact")
    assert kept["name"] == uses(workflow, "migrate", "actions/download-artifact")["name"]
    planned = shell(machine, "plan", text(scratch))
    assert planned.returncode == 0, planned.stderr
    assert "CREATE TABLE authors" in planned.stdout
    plan = machine.shop.root / kept["path"]
    assert plan.exists()

    done = shell(machine, "migrate", text(scratch))
    assert done.returncode == 0, done.stderr
    assert at(scratch) == ["cc30"]
    assert query(scratch, "SELECT DISTINCT git_commit FROM topchef_history") == [(COMMIT,)]
    again = shell(machine, "migrate", text(scratch))
    assert again.returncode == 10
    assert "::error" in again.stdout

    machine.shop.write("alembic/versions/gg00_fails.py", fails_after("cc30"))
    shell(machine, "plan", text(scratch))
    failed = shell(machine, "migrate", text(scratch))
    assert failed.returncode == 5, failed.stdout + failed.stderr
    assert "::error" in failed.stdout
    assert "gg00_fails.py" in failed.stdout


def migrate(machine: Machine, **environment: str) -> subprocess.CompletedProcess[str]:
    script = [str(RECIPES / "migrate.sh"), str(machine.secrets / "database-url")]
    return machine.run(["sh", "-eu", *script], PAUSE="0", **environment)


@one_of_each
def test_shell(machine: Machine, scratch: ScratchDatabase) -> None:
    done = migrate(machine)
    assert done.returncode == 0, done.stderr
    assert at(scratch) == ["cc30"]
    with at_work(machine.shop, text(scratch), after="cc30"):
        done = migrate(machine, LOCK_TIMEOUT="0", ATTEMPTS="2")
    assert done.returncode == 4
    assert done.stderr.count("error: another migrator holds the lock") == 2
    machine.shop.write("alembic/versions/gg00_fails.py", fails_after("ff99"))
    done = migrate(machine)
    assert done.returncode == 5
    assert done.stderr.count("error: ") == 1, "it was tried again"
    (machine.secrets / "database-url").write_text("sqlite:////no/such/folder/shop.db\n")
    done = migrate(machine, ATTEMPTS="2")
    assert done.returncode == 3
    assert done.stderr.count("error: ") == 2


@one_of_each
def test_rollback(machine: Machine, scratch: ScratchDatabase) -> None:
    upgrade(machine.shop.on(scratch))
    execute(scratch, "INSERT INTO authors (name, born) VALUES ('Ada', 1815)")
    back = ["sh", str(RECIPES / "rollback.sh"), str(machine.secrets / "database-url"), "base"]
    done = machine.run(back)
    assert done.returncode == 10, done.stderr
    assert "1 row" in done.stdout
    assert at(scratch) == ["cc30"]
    done = machine.run(back, ACCEPT_DATA_LOSS="yes")
    assert done.returncode == 0, done.stderr
    assert at(scratch) == []
