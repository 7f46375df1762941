"""Writes tests/data/jordan.json: ln of the singular values of W^T for W with d on the diagonal and s above it, by mpmath in 700 digits.

Run once, with an interpreter that has mpmath:  python tests/data/make_jordan.py
The entry of W^T that is k places above the diagonal is binomial(T, k) d^(T−k) s^k.
"""

import importlib
import json
import pathlib

mp = None  # imported below: the tests need none
CASES = [(8, 0.6, 1.5, (100, 400, 800)), (10, 0.5, 2.0, (100, 400, 1000)), (20, 0.5, 0.7, (100, 400))]


def logs(n, d, s, T):
    entry = lambda k: mp.binomial(T, k) * mp.mpf(d) ** (T - k) * mp.mpf(s) ** k if k >= 0 else mp.mpf(0)  # noqa: E731
    power = mp.matrix([[entry(j - i) for j in range(n)] for i in range(n)])
    return sorted((float(mp.log(x)) for x in mp.svd_r(power, compute_uv=False)), reverse=True)


if __name__ == "__main__":
    mp = importlib.import_module("mpmath")
    mp.mp.dps = 700
    found = [{"n": n, "diag": d, "super": s, "T": T, "logs": logs(n, d, s, T)} for n, d, s, steps in CASES for T in steps]
    path = pathlib.Path(__file__).with_name("jordan.json")
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
