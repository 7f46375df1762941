"""How does a PyTorch model open without PyTorch?  torch.export writes it as a list of ops and arrays; here they become nodes.

Read archive (the file), program (what it says), then layers, recurrent and shapes (torch's larger ops, in ours), aten (which op is
which function: a table) and model (all of it, called).
"""

from .model import ExportedModel, load_model

__all__ = ["ExportedModel", "load_model"]
