"""Lecture note: extrapolate daily weather; here the highest temperature of each day in Seattle."""

import sys
from pathlib import Path

import numpy as np

import throughtime as tt
from throughtime.layers import GRU, Dense
from throughtime.optimizers import Adam
from throughtime.schedules import Cosine

AHEAD, START = 50, 366 + 365 + 365  # the first day of 2015


def fit(units, x, y, epochs, weight=None):
    """Train a GRU to say the next value at every step."""
    layers = [GRU(units, return_sequences=True), Dense(1)]
    net = tt.Network(layers, n_features=x.shape[2], seed=0)
    tt.train(net, x, y, sample_weight=weight, optimizer=Adam(Cosine(0.005, length=epochs)),
             epochs=epochs, clip_norm=1.0, verbose=False)
    return net


def main(folder: Path) -> tt.report.Comparison:
    """Print the errors of both experiments and draw a forecast of each."""
    celsius = tt.data.seattle_temperature().values  # 2012 to 2015
    table = tt.report.Comparison("Seattle, mean error in degrees")
    def score(name, days, forecasts):
        true = tt.data.sliding_windows(celsius, AHEAD, horizon=0).x[days, :, 0]
        naive = np.abs(celsius[days - 1, None] - true).mean()
        table.add(name, ours=np.abs(forecasts - true).mean(), naive=naive, baseline="persistence")
        place = np.arange(days[0] - 100, days[0] + AHEAD)
        tt.plotting.plot_fit(place, celsius[place], {"network": (place[100:], forecasts[0])},
                             seen=days[0], xlabel="days since 2012", ylabel="°C",
                             path=folder / f"forecast-from-day-{days[0]}.png")
    # As in the lecture: 100 days, then 50 that the network makes of its own outputs.
    scaler = tt.data.StandardScaler().fit(celsius[None, :100, None])
    x = scaler.transform(celsius[None, :100, None])
    more = fit(8, x[:, :-1], x[:, 1:], epochs=200).extrapolate(x, AHEAD)
    score("100 days, the next 50", np.array([100]), scaler.inverse_transform(more)[..., 0])
    # Better: three years, and the season of the day to foretell as an input.
    scaler = tt.data.StandardScaler().fit(celsius[None, :START, None])
    z, angle = scaler.transform(celsius[None, :, None])[0], np.arange(1462) * 2 * np.pi / 365.2425
    season = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    x = np.concatenate([z, season[1:]], axis=1)
    cut, aim = (tt.data.sliding_windows(series, 60, horizon=0, stride=3).x
                for series in (x[: START - 1], z[1:START]))
    weight = np.ones(cut.shape[:2]) * (np.arange(60) >= 10)  # ten days to know the weather
    net, days = fit(16, cut, aim, 30, weight), np.arange(START, 1461 - AHEAD, 15)
    seen = np.stack([x[day - 100 : day] for day in days])
    coming = iter(season[days[:, None] + np.arange(1, AHEAD)].swapaxes(0, 1))
    more = net.extrapolate(seen, AHEAD, feedback=lambda y: np.append(y, next(coming), axis=1))
    score(f"3 years, the next 50, {len(days)} times", days, scaler.inverse_transform(more)[..., 0])
    print(table)
    return table


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))
