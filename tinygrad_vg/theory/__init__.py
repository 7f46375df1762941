"""What should we see?

Closed forms and mean-field predictions for the gradient's fate, in plain NumPy. This room imports none of the others, so
that it can contradict them. Each function names its source and the range in which it holds, and raises ValueError outside.

    powers       the same factor, T times: eigenvalues, norms of powers, leaks, delays, gates, the largest stable step
    products     random factors: variance against typical size, the log gain of a layer of finite width, Lyapunov spectra
    jacobians    how large a product of slopes and weights can be, and how wide its singular values spread
    meanfield    wide random nets: length, slope per layer, depth scale, the edge of chaos
    rates        what a batch norm, a skip, a gate or a penalty does to the slope
    landscape    cliffs, overshoot, funnels, spikes, plateaus: the loss that all this makes
    memory       what a linear reservoir can remember; how steep a state is in λ; the losses of those who remember nothing

>>> from tinygrad_vg import theory
>>> round(theory.meanfield.slope("sigmoid", 1.0), 3), round(theory.meanfield.slope("tanh", 1.0, 0.05), 3)
(-1.444, -0.138)
"""

from . import jacobians, landscape, meanfield, memory, powers, products, rates

__all__ = ["jacobians", "landscape", "meanfield", "memory", "powers", "products", "rates"]
