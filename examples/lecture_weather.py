"""Lecture note: extrapolate daily weather, here the highest temperature of each day in Seattle."""

import itertools
from pathlib import Path

import numpy as np

import throughtime as tt

AHEAD, START = 50, 366 + 365 + 365  # the first day of 2015


def fit(units, x, y, epochs):
    """Train five networks to predict the next value at every step; a single one may be lucky."""
    layers = [tt.layers.GRU(units, return_sequences=True), tt.layers.Dense(1)]
    nets = [tt.Network(layers, x.shape[2], seed=seed) for seed in range(5)]
    for net in nets:
        tt.train(net, x, y, optimizer=tt.optimizers.Adam(0.003), epochs=epochs, clip_norm=1.0)
    return nets


def main(folder: Path) -> tt.report.Comparison:
    """Print the errors of both experiments; draw a forecast of each."""
    celsius = tt.data.seattle_temperature().values  # 2012 to 2015
    coming = tt.data.sliding_windows(celsius, AHEAD, horizon=0).x[..., 0]
    table = tt.report.Comparison("Seattle, mean error in degrees")
    def compare(name, days, ahead, **naive):
        for baseline, other in naive.items():
            ours, its = (np.abs(f - coming[days, : ahead.shape[1]]).mean() for f in (ahead, other))
            table.add(f"{name}: {baseline}", ours=ours, naive=its, baseline=baseline)
        place = np.arange(days[0] - 100, days[0] + ahead.shape[1])
        tt.plotting.plot_fit(place, celsius[place], {"network": (place[100:], ahead[0])},
                             seen=days[0], xlabel="days since 2012",
                             path=folder / f"{name.replace(' ', '-')}.png")
    # As in the lecture: 100 days, then 50 from the network's own outputs.
    x = (scaler := tt.data.StandardScaler()).fit_transform(celsius[None, :100, None])
    more = [net.extrapolate(x, AHEAD) for net in fit(8, x[:, :-1], x[:, 1:], 200)]
    more, week = scaler.inverse_transform(np.mean(more, 0))[..., 0], celsius[93:100].mean()
    compare("50 days", np.array([100]), more, persistence=celsius[99], week=week)
    # Better: three years, and the season of the day to predict as an input.
    scaler = tt.data.StandardScaler().fit(celsius[None, :START, None])
    z, angle = scaler.transform(celsius[None, :, None])[0], np.arange(1462) * 2 * np.pi / 365.2425
    season = np.stack([np.sin(angle), np.cos(angle), angle**0], axis=1)
    x = np.concatenate([z, season[1:, :2]], axis=1)
    cut, aim = (tt.data.sliding_windows(a, 60, 0, stride=3).x for a in (x[: START - 1], z[1:START]))
    days = np.arange(START, 1461 - AHEAD, 15)
    seen, future = (days[:, None] + np.arange(*span) for span in ((-100, 0), (0, AHEAD)))
    later = itertools.cycle(season[future[:, 1:], :2].swapaxes(0, 1))  # once for each network
    more = [net.extrapolate(x[seen], AHEAD, feedback=lambda y: np.append(y, next(later), axis=1))
            for net in fit(16, cut, aim, 30)]
    more, last = scaler.inverse_transform(np.mean(more, 0))[..., 0], celsius[days - 1, None]
    alone = season[future] @ np.linalg.lstsq(season[:START], celsius[:START])[0]
    compare("50 days of 2015", days, more, persistence=last, season=alone)
    compare("5 days of 2015", days, more[:, :5], persistence=last, season=alone[:, :5])
    print(table)
    return table


if __name__ == "__main__":
    main(Path())
