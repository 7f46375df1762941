from .autodiff.protocols import OPS
from .autodiff.node import history, no_grad
from .autodiff.anomaly import detect_anomaly
from .autodiff.scalar import Scalar, scalars
from .autodiff.tensor import Tensor
from .autodiff.sweep import grad, jvp
from .autodiff.calculus import jacobian, hessian, hvp
globals().update(OPS)
