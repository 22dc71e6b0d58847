"""Lecture note: extrapolate daily weather; here the highest temperature of each day in Seattle."""

import sys
from pathlib import Path

import numpy as np

import throughtime as tt

AHEAD, START = 50, 366 + 365 + 365  # the first day of 2015

def fit(units, x, y, epochs, weight=None):
    """Train a GRU to say the next value at every step."""
    net = tt.Network([tt.layers.GRU(units, return_sequences=True), tt.layers.Dense(1)], x.shape[2])
    adam = tt.optimizers.Adam(tt.schedules.Cosine(0.005, length=epochs))
    tt.train(net, x, y, sample_weight=weight, optimizer=adam, epochs=epochs, clip_norm=1.0)
    return net


def main(folder: Path) -> tt.report.Comparison:
    """Print the errors of both experiments and draw a forecast of each."""
    celsius = tt.data.seattle_temperature().values  # 2012 to 2015
    coming = tt.data.sliding_windows(celsius, AHEAD, horizon=0).x[..., 0]
    table = tt.report.Comparison("Seattle, mean error in degrees")
    def compare(name, days, forecasts, **naive):
        true = coming[days, : forecasts.shape[1]]
        for baseline, other in naive.items():
            table.add(f"{name}: {baseline}", ours=np.abs(forecasts - true).mean(),
                      naive=np.abs(other - true).mean(), baseline=baseline)
        place = np.arange(days[0] - 100, days[0] + forecasts.shape[1])
        tt.plotting.plot_fit(place, celsius[place], {"network": (place[100:], forecasts[0])},
                             seen=days[0], xlabel="days since 2012",
                             path=folder / f"{name.replace(' ', '-')}.png")
    # As in the lecture: 100 days, then 50 that the network makes of its own outputs.
    x = (scaler := tt.data.StandardScaler()).fit_transform(celsius[None, :100, None])
    more = fit(8, x[:, :-1], x[:, 1:], epochs=200).extrapolate(x, AHEAD)
    more, week = scaler.inverse_transform(more)[..., 0], celsius[93:100].mean()
    compare("50 days", np.array([100]), more, persistence=celsius[99], week=week)
    # Better: three years, and the season of the day to foretell as an input.
    scaler = tt.data.StandardScaler().fit(celsius[None, :START, None])
    z, angle = scaler.transform(celsius[None, :, None])[0], np.arange(1462) * 2 * np.pi / 365.2425
    season = np.stack([np.sin(angle), np.cos(angle), angle**0], axis=1)
    x = np.concatenate([z, season[1:, :2]], axis=1)
    cut, aim = (tt.data.sliding_windows(series, 60, horizon=0, stride=3).x
                for series in (x[: START - 1], z[1:START]))
    weight = np.tile(np.arange(60) >= 10, (len(cut), 1))  # ten days to know the weather
    net, days = fit(16, cut, aim, 30, weight), np.arange(START, 1461 - AHEAD, 15)
    seen, future = np.stack([x[d - 100 : d] for d in days]), days[:, None] + np.arange(AHEAD)
    later = iter(season[future[:, 1:], :2].swapaxes(0, 1))
    more = net.extrapolate(seen, AHEAD, feedback=lambda y: np.append(y, next(later), axis=1))
    more, last = scaler.inverse_transform(more)[..., 0], celsius[days - 1, None]
    alone = season[future] @ np.linalg.lstsq(season[:START], celsius[:START])[0]
    compare("50 days of 2015", days, more, persistence=last, season=alone)
    compare("5 days of 2015", days, more[:, :5], persistence=last, season=alone[:, :5])
    print(table)
    return table


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))
