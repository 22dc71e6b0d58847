"""Memory of a pass over files that are larger than what a process may grow by."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="RssAnon is a figure of Linux")

#: What runs in a process of its own: it prints the most MB that the anonymous memory grew by.
CODE = """
import sys, threading
from pathlib import Path
import numpy as np
import throughtime as tt
from throughtime.data.loaders.loader import Loader
from throughtime.data.loaders.{module} import from_{module}
{imports}

def anonymous():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1000

most, done = anonymous(), threading.Event()
before = most

def watch():
    global most
    while not done.wait(0.003):
        most = max(most, anonymous())

threading.Thread(target=watch, daemon=True).start()
loader = {make}
train, validation = loader.split(0.1)
scaled = train.scaled(tt.data.StandardScaler().fit(train))
assert len(loader.ids) == loader.n_sequences
for part in (loader, scaled, validation):
    assert sum(len(batch["x"]) for batch in part) == part.n_sequences
done.set()
print(most - before)
"""


def growth(make, imports=""):
    module = make.partition("(")[0].removeprefix("from_")
    code = CODE.format(make=make, imports=imports, module=module)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return float(run.stdout)


def test_arrays_of_300_megabytes(tmp_path):
    n = 12_000
    with (tmp_path / "x.npy").open("wb") as stream:  # zeros that take no room on the disk
        header = {"descr": "<f4", "fortran_order": False, "shape": (n, 200, 32)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + n * 200 * 32 * 4)
    np.save(tmp_path / "y.npy", np.zeros((n, 1), "float32"))
    assert growth(f"from_npy({str(tmp_path)!r})") < 110


def test_millions_of_short_sequences(tmp_path):
    n = 6_000_000
    for name, shape in (("x", (n, 10, 1)), ("y", (n, 1))):
        with (tmp_path / f"{name}.npy").open("wb") as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, header)
            stream.truncate(stream.tell() + 4 * int(np.prod(shape)))
    assert growth(f"from_npy({str(tmp_path)!r}, batch_size=10_000)") < 140


@pytest.mark.parametrize("layout", ["contiguous", "interleaved"])
def test_a_table_of_200_megabytes(tmp_path, layout):
    n, steps = 20_000, 160
    ids, times = np.repeat(np.arange(n), steps), np.tile(np.arange(steps), n)
    if layout == "interleaved":
        ids, times = np.tile(np.arange(n), steps), np.repeat(np.arange(steps), n)
    columns = {"id": ids, "t": times, "y": ids % 3}
    columns |= {f"f{k}": ids.astype("float32") for k in range(16)}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=200_000)
    options = "id='id', time='t', target='y'"
    if layout == "interleaved":
        options += f", cache={str(tmp_path / 'cache')!r}"
    path = str(tmp_path / "t.parquet")
    assert growth(f"from_parquet({path!r}, {options})", "import pyarrow.parquet") < 230
