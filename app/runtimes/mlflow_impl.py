"""
MLflow's folders: a file MLmodel, and beside it what one of its flavours loads.

A scikit-learn flavour is loaded without MLflow, as the same estimator is from a file of its own.
"""

from dataclasses import replace

import sklearn

from app.errors import ModelNotReady
from app.input_schema import InputSchema
from app.runtimes.artifact import Artifact
from app.runtimes.base import Loading, Output, Runtime
from app.runtimes.checked_files import shown
from app.runtimes.mlflow_inputs import agreed_inputs, declared_inputs
from app.runtimes.mlmodel import Flavor, MLModel, read_mlmodel
from app.runtimes.sklearn_model import check_library_versions, sklearn_runtime

PICKLED = ("cloudpickle", "pickle")
HINTS = {"python_function": "; requirements-mlflow.txt has what MLflow needs"}


def build(artifact: Artifact, loading: Loading) -> Runtime:
    """Of its flavours the one that is loaded with the least around it; raises ModelNotReady."""
    model = read_mlmodel(artifact)
    for flavor, load in (("sklearn", _sklearn), ("onnx", _onnx), ("python_function", _pyfunc)):
        # What brings code of its own needs MLflow to put it on the path of modules.
        if flavor in model.flavors and (flavor == "python_function" or not model.flavors[flavor].get("code")):
            try:
                return load(model.flavors[flavor], model, artifact, loading)
            except ModuleNotFoundError as error:
                reason = f"{artifact.path}: its flavour {flavor} needs the module {error.name}, which is not installed"
                raise ModelNotReady(reason + HINTS.get(flavor, "")) from error
    raise ModelNotReady(f"{artifact.path}: has no flavour that is served (sklearn, onnx, python_function)")


def _sklearn(flavor: Flavor, model: MLModel, artifact: Artifact, loading: Loading) -> Runtime:
    check_library_versions(artifact)
    was, here = flavor.get("sklearn_version"), sklearn.__version__
    if was != here:
        raise ModelNotReady(f"{artifact.path}: fitted with scikit-learn {shown(str(was))}, here is {here}")
    declared = declared_inputs(model, artifact)
    runtime = _estimator(flavor, artifact, loading, declared)
    inputs = runtime.metadata.inputs
    if artifact.manifest is None and declared is not None:
        inputs = agreed_inputs(inputs, declared, artifact.path)
    runtime.metadata = replace(runtime.metadata, inputs=inputs, scored=_scored(model, runtime, artifact))
    return runtime


def _scored(model: MLModel, runtime: Runtime, artifact: Artifact) -> Output:
    """The method that was named when the model was saved; raises ModelNotReady where it has no such one."""
    named = model.flavors.get("python_function", {}).get("predict_fn", "predict")
    for output in runtime.metadata.outputs:
        if output == named:
            return output
    raise ModelNotReady(f"{artifact.path}: is to be asked for its {shown(str(named))}, which it has not")


def _estimator(flavor: Flavor, artifact: Artifact, loading: Loading, declared: InputSchema | None) -> Runtime:
    inner = artifact.inner(str(flavor.get("pickled_model")))
    form = flavor.get("serialization_format", "pickle")
    if form in PICKLED:
        from app.runtimes.joblib_impl import load
    elif form == "skops":
        from app.runtimes.skops_impl import load
    else:
        raise ModelNotReady(
            f"{artifact.path}: is serialized as {shown(str(form))}; {', '.join(PICKLED)} and skops are served"
        )
    return sklearn_runtime(load(inner, loading), inner, platform="mlflow_sklearn", declared=declared)


def _onnx(flavor: Flavor, model: MLModel, artifact: Artifact, loading: Loading) -> Runtime:
    from app.runtimes.onnx_impl import build as build_onnx

    runtime = build_onnx(artifact.inner(str(flavor.get("data"))), loading)
    runtime.metadata = replace(runtime.metadata, platform="mlflow_onnx")
    return runtime


def _pyfunc(flavor: Flavor, model: MLModel, artifact: Artifact, loading: Loading) -> Runtime:
    from app.runtimes.pyfunc_impl import build as build_pyfunc

    return build_pyfunc(model, artifact)
