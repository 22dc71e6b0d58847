"""The machine's peak: float32 operations a second in a loop of multiply-adds alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("peak.cpp")
#: Bytes of a vector. The compiler splits a vector that the processor lacks.
WIDTHS = (16, 32, 64)


def peaks(threads: list[int], seconds: float = 0.5) -> dict[int, float] | None:
    """FLOP/s by number of threads; a multiply-add counts as two. None without a compiler."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    found = dict.fromkeys(threads, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        for width in WIDTHS:
            program = str(Path(folder) / f"peak{width}")
            options = ["-std=c++20", "-O2", "-march=native", "-ffp-contract=fast", "-pthread"]
            command = [compiler, *options, f"-DWIDTH={width}", str(SOURCE), "-o", program]
            subprocess.run(command, check=True)
            for n in threads:
                run = [program, str(n), str(seconds)]
                gflops = float(subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout)
                found[n] = max(found[n], gflops * 1e9)
    return found
