"""The version, its dependencies and who may publish it: the same in all files."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RECIPE = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text())
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
RENAMED = {"dask[array]": "dask-core", "matplotlib": "matplotlib-base"}
"""What conda-forge calls otherwise: matplotlib without Qt, Dask without pandas."""


def latest_release():
    """The version and the date on top of the changelog."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    return re.search(r"^## (\d\S*) \((\d{4}-\d\d-\d\d)\)$", changelog, re.MULTILINE).groups()


def test_the_changelog_and_the_citation_are_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version, date = latest_release()
    assert version == cited["version"] == PROJECT["version"]
    assert date == str(cited["date-released"])
    assert cited["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors", "abstract", "keywords"} <= cited.keys()
    holder = re.search(r"Copyright \(c\) \d+ (.+)", (ROOT / "LICENSE").read_text())[1]
    assert [author["name"] for author in cited["authors"]] == [holder]
    assert [author["name"] for author in PROJECT["authors"]] == [holder]
    assert cited["repository-code"] == RECIPE["about"]["repository"] == PROJECT["urls"]["Source"]
    assert cited["url"] == RECIPE["about"]["homepage"] == PROJECT["urls"]["Documentation"]


def spec(requirement):
    """A requirement of pip as conda writes it: the name, a space, the bound."""
    name, bound = re.fullmatch(r"(.+?)(>=[\d.]+)(?:; .+)?", requirement).groups()
    return f"{RENAMED.get(name, name)} {bound}"


def test_the_recipe_is_of_this_version_and_needs_the_same():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert RECIPE["context"] == {"version": PROJECT["version"], "python_min": oldest}
    needs = {spec(text) for text in PROJECT["dependencies"] + EXTRAS["cli"]}
    assert set(RECIPE["requirements"]["run"]) == needs | {"python >=${{ python_min }}"}
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert set(map(spec, backend)) < set(RECIPE["requirements"]["host"])
    extras = ("dask", "dataframe", "onnx", "parquet", "plot", "scipy", "sklearn", "xarray")
    texts = {text for name in extras for text in EXTRAS[name]} - {"fastgd[dataframe]"}
    optional = set(map(spec, texts))
    assert set(RECIPE["requirements"]["run_constraints"]) == optional - needs
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    [[name, call]] = PROJECT["scripts"].items()
    assert RECIPE["build"]["python"]["entry_points"] == [f"{name} = {call}"]


def test_pixi_installs_the_checkout_with_the_same_numba():
    pixi = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pixi"]
    own = {"path": ".", "editable": True, "extras": ["cli"]}
    assert pixi["pypi-dependencies"] == {PROJECT["name"]: own}
    kept = {name + bound for name, bound in pixi["dependencies"].items()}
    assert kept < set(PROJECT["dependencies"])


def test_every_extra_is_called_in_a_bare_environment_or_for_developers():
    script = runpy.run_path(str(ROOT / ".ci" / "extras.py"))
    assert script["CALLS"].keys() - {""} == EXTRAS.keys() - script["FOR_DEVELOPERS"]
    assert script["FOR_DEVELOPERS"] < EXTRAS.keys()


def test_every_python_of_the_classifiers_is_tested():
    pattern = re.compile(r"Programming Language :: Python :: (3\.\d+)")
    classified = [found[1] for text in PROJECT["classifiers"] if (found := pattern.fullmatch(text))]
    jobs = yaml.safe_load(WORKFLOWS["ci"].read_text())["jobs"]
    installing = next(step for step in jobs["package"]["steps"] if "python-version" in str(step))
    newest = installing["with"]["python-version"].split()
    assert sorted({*jobs["tests"]["strategy"]["matrix"]["python"], *newest}) == classified
    assert PROJECT["requires-python"] == f">={classified[0]}"


@pytest.mark.parametrize("path", WORKFLOWS.values(), ids=list(WORKFLOWS))
def test_a_workflow_may_nothing_but_what_its_jobs_say(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        rights = job["permissions"]
        if name != "publish":
            assert rights == {"contents": "read"}, name
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step
            assert "secrets." not in str(step)
    for version in re.findall(r"uses: .+", path.read_text()):
        assert re.search(r" # v\d+\.\d+\.\d+$", version), version


def test_what_publishes_runs_nothing_of_the_repository():
    jobs = yaml.safe_load(WORKFLOWS["release"].read_text())["jobs"]
    assert jobs.keys() == {"build", "publish"}
    publish = jobs["publish"]
    assert publish["needs"] == "build"
    assert publish["if"] == "github.ref_type == 'tag'"
    assert publish["permissions"] == {"id-token": "write", "attestations": "write"}
    assert publish["environment"] == "pypi"
    used = [step["uses"].split("@")[0] for step in publish["steps"]]
    assert used == [
        "actions/download-artifact",
        "actions/attest-build-provenance",
        "pypa/gh-action-pypi-publish",
    ]
    assert publish["steps"][-1]["with"]["attestations"] is True
    # By hand only. YAML 1.1 reads a bare "on" as true.
    assert yaml.safe_load(WORKFLOWS["release"].read_text())[True] == {"workflow_dispatch": None}
