"""What can go wrong, by the exit status of the command."""

from __future__ import annotations


class AliascopeError(Exception):
    """The command could not do its work, or a network or image could not be given to it.

    Its text is one sentence that says what happened, where, and what to do. `status` is the command's exit status.
    """

    status: int = 9

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class CheckError(AliascopeError):
    """A check that the command makes of its own result failed: the numbers are not to be trusted (status 1)."""

    status = 1


class UsageError(AliascopeError):
    """An argument is wrong (status 2)."""

    status = 2


class ModelError(AliascopeError):
    """A model file is missing, unreadable, damaged or contradicts itself (status 3)."""

    status = 3


class UnsupportedError(AliascopeError):
    """A model uses something that aliascope does not support (status 4)."""

    status = 4


class ExportError(UnsupportedError):
    """A PyTorch module could not be written as ONNX (status 4)."""


class InputError(AliascopeError):
    """An image or tensor is missing, unreadable or of the wrong kind (status 5)."""

    status = 5


class OutputError(AliascopeError):
    """An output file exists or cannot be written (status 6)."""

    status = 6


class NotFiniteError(AliascopeError):
    """NaN or infinity in weights, input or result (status 7)."""

    status = 7


class MachineError(AliascopeError):
    """The machine lacks something: memory, a device, libtorch, the command itself (status 8)."""

    status = 8


class DefectError(AliascopeError):
    """A defect of aliascope itself, which is worth a report (status 9)."""

    status = 9


class InterruptedRun(AliascopeError):
    """The command was ended from outside (status 130). Ctrl-C in Python is a KeyboardInterrupt as usual."""

    status = 130


class AliascopeWarning(UserWarning):
    """A note of the command: what was assumed, left out, or has to be known to read the numbers."""


_BY_STATUS: dict[int, type[AliascopeError]] = {
    error.status: error
    for error in (
        CheckError, UsageError, ModelError, UnsupportedError, InputError, OutputError, NotFiniteError, MachineError,
        DefectError, InterruptedRun,
    )
}  # fmt: skip


def error_of(status: int, message: str) -> AliascopeError:
    """The exception of an exit status."""
    return _BY_STATUS.get(status, AliascopeError)(message, status)
