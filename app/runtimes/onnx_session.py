"""onnxruntime as every use of it here has it: without a thread of its own, and telling nobody."""

import os

# By default onnxruntime reports its use to its makers, for which it starts a thread as it is imported and keeps a
# database in the home folder: https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md.
os.putenv("ORT_DISABLE_TELEMETRY", "1")

from onnxruntime import ExecutionMode, InferenceSession, SessionOptions
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

__all__ = ["Fail", "InferenceSession", "InvalidArgument", "RuntimeException", "session_of"]

# Of onnxruntime's logger: nothing but what ends the process, for an error is raised as well.
FATAL = 4


def session_of(data: bytes) -> InferenceSession:
    """Of a model's bytes in ONNX's format, with no thread of its own, so that forks may have it."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL
    # The bytes are this, not onnxruntime's own format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # To fall back would be to print that it failed, and to try the very same again.
    return InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
