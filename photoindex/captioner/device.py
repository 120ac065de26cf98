"""Which device the captioner runs on."""

from __future__ import annotations

import torch

from photoindex.errors import DeviceUnavailable


def choose_device(name: str = "auto", threads: int = 0) -> torch.device:
    """Return the device of a name; ``auto`` is the first of CUDA, Apple's MPS and the CPU that is there.

    torch takes so many ``threads`` of the CPU from now on; 0 leaves it as it is. Raises :class:`DeviceUnavailable` when
    a device asked for by name is not on this machine.
    """
    if threads:
        torch.set_num_threads(threads)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailable("no CUDA GPU that torch can use on this machine: use --device auto or cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise DeviceUnavailable("no Apple GPU (mps) on this machine: use --device auto or cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise DeviceUnavailable(f"unknown device {name!r}: choose auto, cpu, cuda or mps")
    return torch.device(name)


def installed() -> str:
    """One phrase for a person: torch's version and what it finds on this machine."""
    if torch.cuda.is_available():
        devices = ", ".join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
        return f"torch {torch.__version__}, CUDA {torch.version.cuda}: {devices}"
    if torch.backends.mps.is_available():
        return f"torch {torch.__version__}, Apple GPU (mps)"
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU alone"
    return f"torch {torch.__version__}, {built}, no GPU that it can use"


def describe(device: torch.device) -> str:
    """One phrase for a person: ``CPU, 2 threads`` or the GPU's name."""
    if device.type == "cuda":
        return f"GPU {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "Apple GPU (mps)"
    return f"CPU, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() != 1 else ''}"
