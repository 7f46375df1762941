"""Writes tests/data/optimisers.json: ten steps of each optimiser as PyTorch 2.13 (CPU, float64) takes them.

Run once, with an interpreter that has torch:  python tests/data/make_optimisers.py
The problem: loss = Σ cos(A w) + |w|⁴ / 8, with w (2, 3) and A (4, 6), A_ij = sin(1 + i + 2 j), w_k = cos(k).
"""

import importlib
import json
import pathlib

torch = None  # imported below: the tests need none
CASES = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd, weight decay": ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "nesterov, weight decay": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop, all settings": ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam, all settings": ("Adam", {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.1}),
    "adamw": ("AdamW", {}),
    "adamw, all settings": ("AdamW", {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.1}),
}


def run(name, settings):
    w = torch.cos(torch.arange(6, dtype=torch.float64)).reshape(2, 3).requires_grad_()
    i, j = torch.meshgrid(torch.arange(4.0, dtype=torch.float64), torch.arange(6.0, dtype=torch.float64), indexing="ij")
    A = torch.sin(1 + i + 2 * j)
    optimiser, path = getattr(torch.optim, name)([w], **settings), []
    for _ in range(10):
        optimiser.zero_grad()
        loss = torch.cos(A @ w.reshape(6)).sum() + (w * w).sum() ** 2 / 8
        loss.backward()
        optimiser.step()
        path.append(w.detach().reshape(6).tolist())
    return path


def schedules():
    w = torch.zeros(1, requires_grad=True)
    rates = {}
    for name, make in {
        "step_decay": lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5),
        "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 8, 0.01),
    }.items():
        optimiser = torch.optim.SGD([w], lr=0.4)
        scheduler, rates[name] = make(optimiser), []
        for _ in range(9):
            rates[name].append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step()
    return rates


if __name__ == "__main__":
    torch = importlib.import_module("torch")
    data = {"torch": torch.__version__, "cases": [], "schedules": schedules()}
    for title, (name, settings) in CASES.items():
        data["cases"].append({"title": title, "optimiser": name, "settings": settings, "path": run(name, settings)})
    path = pathlib.Path(__file__).parents[1] / "data" / "optimisers.json"
    path.write_text(json.dumps(data, indent=1) + "\n")
