"""pycaffe's interface over `solver_cli.Net` and `solver_cli.Solver`: what Python scripts and Python layers import as `caffe`.

    import solver_cli.pycaffe as caffe        in a script or notebook of one's own
    solver-tools python SCRIPT [ARGS]         for a script that says `import caffe`
"""

from importlib import import_module as _import_module

_MODULES = ("io", "net_spec", "classifier", "detector", "draw", "coord_map", "proto")
_NAMES = {
    "Classifier": "classifier",
    "Detector": "detector",
    "NetSpec": "net_spec",
    "layers": "net_spec",
    "params": "net_spec",
    "to_proto": "net_spec",
}


def __getattr__(name: str) -> object:
    """Modules and the names in them, imported when they are asked for."""
    if name in _MODULES:
        return _import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(_import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
