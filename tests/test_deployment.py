"""The files under docs/deploy, read by the tools that they are for."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from photoindex.cli.main import main
from photoindex.config import load_settings
from tests.support import REPOSITORY

DEPLOY = REPOSITORY / "docs" / "deploy"
UNIT = DEPLOY / "photoindex-worker@.service"


def is_understood(arguments: list[str]) -> None:
    """Hold that the command line takes these arguments; nothing is started."""
    result = CliRunner().invoke(main, [*arguments, "--help"])
    assert result.exit_code == 0, result.output
    known = CliRunner().invoke(main, ["worker", "--help"]).output
    assert all(word in known for word in arguments[arguments.index("worker") :] if word.startswith("--"))


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    # The program is looked for where the unit says, and the user is not there on this machine.
    text = UNIT.read_text("utf-8").replace("/opt/photoindex/bin/photoindex", sys.executable)
    copy = tmp_path / "photoindex-worker@1.service"
    copy.write_text(text.replace("User=photoindex", "User=daemon"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    own = [line for line in done.stderr.splitlines() if "photoindex" in line]
    assert (done.returncode, own) == (0, [])


def started_by(instance: str) -> list[str]:
    """What the unit's command line has the shell start in an instance, word by word."""
    [line] = [each for each in UNIT.read_text("utf-8").splitlines() if each.startswith("ExecStart=")]
    # systemd's own: %i is the instance, and $$ a dollar.
    program, *arguments = shlex.split(line.removeprefix("ExecStart=").replace("%i", instance).replace("$$", "$"))
    assert (program, arguments[0]) == ("/bin/sh", "-c")
    script = arguments[1].removeprefix("exec ")
    assert script != arguments[1]  # the shell is replaced: signals go to the worker
    done = subprocess.run([program, "-c", f"printf '%s\n' {script}"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(("instance", "port"), [("1", "9421"), ("9", "9429"), ("10", "9430"), ("64", "9484")])
def test_the_unit_starts_a_worker(instance: str, port: str) -> None:
    program, *arguments = started_by(instance)
    assert program.endswith("/photoindex")
    assert f"/var/lib/photoindex/worker-{instance}" in arguments
    assert arguments[-2:] == ["--metrics", port]
    is_understood(arguments)


def manifests() -> list[Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))


def test_kubernetes_knows_every_field_of_the_manifest() -> None:
    client = pytest.importorskip("kubernetes.client", reason="the client of Kubernetes is not installed")
    api = client.ApiClient()
    for manifest in manifests():
        # A field that its models do not have is not there any more when they are written again.
        kind = getattr(client, f"V1{manifest['kind']}")
        if hasattr(kind, "from_dict"):
            read = kind.from_dict(manifest)
        else:  # before version 37, which cannot be installed beside s3fs
            read = api.deserialize(SimpleNamespace(data=json.dumps(manifest)), kind.__name__)
        assert api.sanitize_for_serialization(read) == manifest


def test_the_manifest_starts_a_worker() -> None:
    [deployment] = manifests()
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]
    program, *arguments = container["command"]
    assert program == "photoindex"
    is_understood(arguments)
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    port = str(container["ports"][0]["containerPort"])
    assert arguments[-1].endswith(f":{port}")
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == port
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_manifest_sets_settings_that_there_are() -> None:
    [deployment] = manifests()
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each.get("value", "") for each in container["env"]}
    assert load_settings(None, environment, data_dir="/data").mounts == {"archive": "/photos"}
    mounted = {mount["mountPath"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    assert mounted == {"/photos"}
