"""A model per group, from tables: ``fastgd.fit_groups`` beside scikit-lego over scikit-learn."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastgd
from compare import Settings
from fastgd.sklearn import FastGDRegressor, GroupedRegressor
from measure import in_turn
from report import Line

SHOPS = 10_000
ROWS = 100
PEER_SHOPS = 100
HIDDEN = 16


def sales(shops: int, rows: int, seed: int = 0) -> pd.DataFrame:
    """Made-up sales of shops that differ in size, in how price and weather matter, and when."""
    draw = np.random.default_rng(seed)
    shop = np.repeat(np.arange(shops), rows)
    count = len(shop)
    price = draw.lognormal(0, 0.3, count) * draw.lognormal(0, 0.5, shops)[shop]
    promotion, day = draw.random(count) < 0.2, draw.integers(0, 7, count)
    heat = draw.normal(15, 8, count) + draw.normal(0, 4, shops)[shop]
    size, best_heat = draw.lognormal(3, 0.8, shops)[shop], draw.normal(18, 3, shops)[shop]
    elastic, lift = draw.normal(-1.2, 0.4, shops)[shop], draw.normal(0.5, 0.2, shops)[shop]
    weekday = draw.normal(0, 0.3, (shops, 7))[shop, day]
    expected = size * np.exp(
        elastic * np.log(price)
        + lift * promotion
        + 0.2 * np.sin(day)
        + 0.3 * weekday
        - ((heat - best_heat) / 20) ** 2
    )
    return pd.DataFrame(
        {
            "shop": shop,
            "price": price,
            "promotion": promotion.astype(float),
            "day": day,
            "heat": heat,
            "noise": draw.normal(size=count),
            "sold": expected * draw.lognormal(0, 0.15, count),
        }
    )


def shop_models(settings: Settings) -> list[Line]:
    """Fit, and predict all rows: seconds of all shops, scikit-lego's from 100 of them."""
    shops = SHOPS if settings.effort else PEER_SHOPS
    table = sales(shops, ROWS)
    few = table[table.shop < PEER_SHOPS]
    peers: dict[str, Callable[[pd.DataFrame], Any]] = {}
    if find_spec("sklego") is not None:
        peers["scikit-lego's GroupedRegressor over MLPRegressor"] = _lego
    peers["fastgd's GroupedRegressor over FastGDRegressor"] = _ours_over_estimators
    given = {name: few if "lego" in name else table for name in peers}
    fits: dict[str, Callable[[], Any]] = {"fastgd": lambda: _fit_groups(table, settings)}
    fits |= {n: (lambda n=n, fit=fit: fit(given[n])) for n, fit in peers.items()}
    models: dict[str, Any] = {name: fit() for name, fit in fits.items()}
    asked: dict[str, Callable[[], object]] = {
        "fastgd": lambda: models["fastgd"].predict(table),
        **{n: (lambda n=n: models[n].predict(_inputs(given[n]))) for n in peers},
    }
    fitted, predicted = in_turn(fits, settings.repeats), in_turn(asked, settings.repeats)
    lines = []
    title = f"{len(table):,} rows of {shops:,} shops"
    for name in peers:
        target = ">= 50" if "lego" in name else "<= 3"
        scale = len(table) // len(given[name])
        note = f"theirs from {PEER_SHOPS} shops, times {scale}" if scale > 1 else ""
        for what, seconds in (("fit", fitted), ("predict", predicted)):
            ours, theirs = seconds["fastgd"], seconds[name] * scale
            ratio = theirs / ours
            mine = target if what == "fit" else ""
            lines.append(Line(f"{what} {title}", name, ours, theirs, ratio, mine, "s", note))
    return lines + _errors(peers, settings)


def _errors(peers: dict[str, Callable[[pd.DataFrame], Any]], settings: Settings) -> list[Line]:
    """Mean ``|sold - predicted|`` on rows that nobody has seen, of 100 shops."""
    table = sales(PEER_SHOPS, ROWS)
    unseen = np.random.default_rng(1).random(len(table)) < 0.2
    seen, new = table[~unseen], table[unseen]

    def error(predicted: np.ndarray) -> float:
        return float(np.abs(predicted - new.sold).mean())

    ours = error(_fit_groups(seen, settings).predict(new))
    return [
        Line(
            f"mean error of unseen rows, {PEER_SHOPS} shops",
            f"{name} (ours / its)",
            ours,
            theirs := error(fit(seen).predict(_inputs(new))),
            ours / theirs,
            "<= 1",
            "sold",
        )
        for name, fit in peers.items()
    ]


def _inputs(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="sold")


def _fit_groups(table: pd.DataFrame, settings: Settings) -> fastgd.GroupModels:
    return fastgd.fit_groups(
        table, by="shop", target="sold", hidden_size=HIDDEN, threads=settings.threads
    )


def _lego(table: pd.DataFrame) -> Any:
    from sklego.meta import GroupedRegressor as Lego

    return _fitted(Lego(_scaled(MLPRegressor), "shop", use_global_model=False), table)


def _ours_over_estimators(table: pd.DataFrame) -> Any:
    model = GroupedRegressor(_scaled(FastGDRegressor), "shop", use_global_model=False)
    return _fitted(model, table)


def _scaled(kind: Any) -> Any:
    """As many units, the same alpha and rows held out as ``fit_groups`` has by default."""
    network = kind(
        hidden_layer_sizes=(HIDDEN,),
        activation="tanh",
        learning_rate_init=0.01,
        max_iter=500,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=30,
        random_state=0,
    )
    pipeline = make_pipeline(StandardScaler(), network)
    return TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def _fitted(model: Any, table: pd.DataFrame) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(_inputs(table), table.sold)


ALL = (shop_models,)
