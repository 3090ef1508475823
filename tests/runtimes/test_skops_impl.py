"""What only a skops file may do wrong: types that nobody trusts, and more to unpack than there seems to be."""

import hashlib
import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
import skops.io
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from app.errors import ModelNotReady, Refusal
from app.runtimes import load_runtime
from app.settings import ROOT
from tests.environments import own_environment
from tests.runtimes import models
from tests.runtimes.models import NUMBERS

State = dict[str, Any]
TREE = "sklearn.tree._tree.Tree"


@pytest.fixture
def forest(tmp_path: Path) -> Path:
    return dumped(models.model("forest of str classes").artifact, tmp_path)


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    path = tmp_path / "trusted_types.txt"
    path.write_text(f"# Branches of our own trees.\n\n{TREE}  # since 2026\n")
    return path


def dumped(content: Any, folder: Path) -> Path:
    path = folder / "churn.skops"
    skops.io.dump(content, path)
    return path


def ridge(folder: Path) -> Path:
    return dumped(models.model("ridge").artifact, folder)


def refusal(path: Path, trusted: Path | None = None, max_bytes: int = 2**24) -> ModelNotReady:
    with pytest.raises(ModelNotReady) as caught:
        load_runtime(str(path), pin=None, max_bytes=max_bytes, trusted_types_file=trusted)
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 1000
    return caught.value


def rewritten(path: Path, change: Callable[[State, zipfile.ZipFile], object]) -> Path:
    """`change` is given the schema, and the file that it may add to."""
    with zipfile.ZipFile(path) as former:
        entries = {name: former.read(name) for name in former.namelist()}
    schema = json.loads(entries.pop("schema.json"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        change(schema, archive)
        archive.writestr("schema.json", json.dumps(schema))
    return path


def attributes(schema: State) -> State:
    return schema["content"]["content"]  # type: ignore[no-any-return]


def state(module: str, name: str, loader: str, **members: Any) -> State:
    return {"__module__": module, "__class__": name, "__loader__": loader, **members}


def test_the_runtime_says_that_it_came_from_a_skops_file(tmp_path: Path) -> None:
    runtime = load_runtime(str(ridge(tmp_path)), pin=None, max_bytes=2**24)

    assert runtime.metadata.platform == "sklearn_skops"


def test_types_that_skops_does_not_trust_are_named_and_refused(forest: Path) -> None:
    refused = refusal(forest)

    assert refused.refusal is Refusal.UNTRUSTED
    assert refused.reason == (
        f"{forest}: has types that are not trusted ({TREE}); those that FORKCAST_TRUSTED_TYPES_FILE names are"
    )


def test_the_types_in_the_operator_s_file_are_trusted_which_is_read_at_each_load(forest: Path, trusted: Path) -> None:
    load_runtime(str(forest), pin=None, max_bytes=2**24, trusted_types_file=trusted)
    trusted.write_text("sklearn.tree._tree.Another\n")

    assert refusal(forest, trusted).refusal is Refusal.UNTRUSTED


def test_a_file_of_trusted_types_that_others_may_write_is_refused(forest: Path, trusted: Path) -> None:
    trusted.chmod(0o666)

    refused = refusal(forest, trusted)

    assert refused.reason.startswith(f"{trusted}: is writable by other users")
    assert refused.refusal is Refusal.UNTRUSTED


def test_a_file_of_trusted_types_that_is_not_there_is_refused(forest: Path, tmp_path: Path) -> None:
    assert refusal(forest, tmp_path / "nowhere.txt").reason == f"{tmp_path}/nowhere.txt: No such file or directory"


@pytest.mark.parametrize("line", ["Tree", "sklearn.tree Tree", "sklearn.*", "sklearn..Tree", "1.2", "<class 'a.b'>"])
def test_a_line_that_is_no_dotted_name_is_refused(forest: Path, trusted: Path, line: str) -> None:
    trusted.write_text(f"{TREE}\n{line}\n")

    assert refusal(forest, trusted).reason == f"{trusted}: line 2 is no dotted name of a type"


def test_a_file_of_trusted_types_that_is_no_text_is_refused(forest: Path, trusted: Path) -> None:
    trusted.write_bytes(b"\xff\xfe\x00")

    assert refusal(forest, trusted).reason == f"{trusted}: is no text of types to trust"


def test_a_few_of_many_untrusted_types_are_named_each_in_a_few_printable_letters(tmp_path: Path) -> None:
    def add(schema: State, archive: zipfile.ZipFile) -> None:
        names = ["line\nbreak\x1b[31m", "x" * 10_000, *(f"Type{number}" for number in range(98))]
        strangers = {f"a{number}": state("m", name, "ObjectNode") for number, name in enumerate(names)}
        attributes(schema).update(strangers)

    refused = refusal(rewritten(ridge(tmp_path), add))

    assert refused.refusal is Refusal.UNTRUSTED
    assert "(m.Type0, m.Type1, m.Type10, m.Type11, m.Type12 and 95 more)" in refused.reason


@pytest.mark.parametrize("name", ["line\nbreak\x1b[31m", "x" * 10_000, "\ud800", ""])
def test_a_name_of_an_untrusted_type_can_be_printed(tmp_path: Path, name: str) -> None:
    def add(schema: State, archive: zipfile.ZipFile) -> None:
        attributes(schema)["stranger"] = state("m", name, "ObjectNode")

    assert refusal(rewritten(ridge(tmp_path), add)).refusal is Refusal.UNTRUSTED


NUMBER = state("builtins", "str", "JsonNode", content="1")
STRANGERS = {
    "object": state("this", "d", "ObjectNode"),
    "type": state("this", "d", "TypeNode"),
    "function": state("this", "d", "FunctionNode"),
    "made by its constructor": state("this", "d", "ConstructorFromReduceNode", content=NUMBER),
    "loss": state("this", "d", "LossNode", __reduce__={"args": NUMBER}, content=NUMBER),
    "list": state("this", "d", "ListNode", content=[]),
    "set": state("this", "d", "SetNode", content=[]),
    "tuple": state("this", "d", "TupleNode", content=[]),
    "array": state("this", "d", "NdArrayNode", type="json", content=[], shape=NUMBER),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_an_untrusted_type_of_any_loader_is_refused_before_its_module_is_imported(tmp_path: Path, name: str) -> None:
    def add(schema: State, archive: zipfile.ZipFile) -> None:
        attributes(schema)["stranger"] = STRANGERS[name]

    refused = refusal(rewritten(ridge(tmp_path), add))

    assert refused.refusal is Refusal.UNTRUSTED
    assert "(this.d)" in refused.reason
    assert "this" not in sys.modules


RIDGE = ("sklearn.linear_model._ridge", "Ridge")
PARTIAL = dict.fromkeys(["func", "args", "kwds", "namespace"], NUMBER)
CALLS = {
    "of a method": (
        state(*RIDGE, "MethodNode", content={"func": "fit", "obj": state(*RIDGE, "ObjectNode")}),
        "sklearn.linear_model._ridge.Ridge.fit",
    ),
    "of an operator": (state("operator", "methodcaller", "OperatorFuncNode", attrs=NUMBER), "operator.methodcaller"),
    "of a partial": (state("functools", "partial", "PartialNode", content=PARTIAL), "functools.partial"),
}


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_is_refused(tmp_path: Path, kind: str) -> None:
    call, name = CALLS[kind]

    def add(schema: State, archive: zipfile.ZipFile) -> None:
        attributes(schema)["call"] = call

    assert name in refusal(rewritten(ridge(tmp_path), add)).reason


def test_another_version_of_scikit_learn_is_refused_before_anything_else_in_the_file(forest: Path) -> None:
    def age(schema: State, archive: zipfile.ZipFile) -> None:
        attributes(schema)["_sklearn_version"]["content"] = '"0.24.2"'

    refused = refusal(rewritten(forest, age))

    assert refused.reason == f"{forest}: fitted with scikit-learn 0.24.2, here is {sklearn.__version__}"
    assert refused.refusal is Refusal.UNUSABLE


def test_another_version_of_scikit_learn_in_the_manifest_is_refused(forest: Path) -> None:
    sha256 = hashlib.sha256(forest.read_bytes()).hexdigest()
    manifest = {"sha256": sha256, "libraries": {"scikit-learn": "0.24.2"}}
    forest.with_suffix(".manifest.json").write_text(json.dumps(manifest))

    assert refusal(forest).reason == f"{forest}: fitted with scikit-learn 0.24.2, here is {sklearn.__version__}"


def test_a_word_of_a_vocabulary_is_no_version(tmp_path: Path) -> None:
    model = models.on_texts(models.make_pipeline(models.CountVectorizer(), LogisticRegression())).artifact
    model.steps[0][1].vocabulary_["_sklearn_version"] = model.steps[0][1].vocabulary_.pop("film")

    runtime = load_runtime(str(dumped(model, tmp_path)), pin=None, max_bytes=2**24)

    assert runtime.predict(["a good film"]).values == model.predict(["a good film"]).tolist()


def big_entry(schema: State, archive: zipfile.ZipFile) -> None:
    archive.writestr("zeros", bytes(2**25))


def one_entry_many_times(schema: State, archive: zipfile.ZipFile) -> None:
    archive.writestr("zeros", bytes(2**20))
    for number in range(32):
        attributes(schema)[f"zeros{number}"] = state("builtins", "bytes", "BytesNode", file="zeros")


def zip_within(schema: State, archive: zipfile.ZipFile) -> None:
    file = io.BytesIO()
    sparse.save_npz(file, sparse.csr_matrix(np.ones((2**11, 2**11))))
    archive.writestr("matrix.npz", file.getvalue())
    attributes(schema)["matrix"] = state(
        "scipy.sparse._csr", "csr_matrix", "SparseMatrixNode", type="scipy", file="matrix.npz"
    )


@pytest.mark.parametrize("swell", [big_entry, one_entry_many_times, zip_within])
def test_a_small_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, swell: Any) -> None:
    path = rewritten(ridge(tmp_path), swell)

    assert path.stat().st_size < 2**20
    assert refusal(path).reason.endswith("more than the 16777216 allowed")


@pytest.mark.usefixtures("within_seconds")
def test_objects_that_hold_each_other_over_and_over_are_refused(tmp_path: Path) -> None:
    def share(schema: State, archive: zipfile.ZipFile) -> None:
        held = state("builtins", "list", "ListNode", content=[], __id__=1)
        for identity in range(2, 40):
            again = {"__id__": identity - 1}
            held = state("builtins", "list", "ListNode", content=[held, again], __id__=identity)
        attributes(schema)["held"] = held

    refused = refusal(rewritten(ridge(tmp_path), share))

    assert "repeats an object" in refused.reason
    assert refused.refusal is Refusal.CORRUPT


def test_a_pickle_in_the_place_of_an_array_is_refused_and_not_unpickled(tmp_path: Path, unpickled: list[str]) -> None:
    def swap(schema: State, archive: zipfile.ZipFile) -> None:
        archive.writestr("array.npy", pickle.dumps(models.PlainObject()))
        attributes(schema)["coef_"]["file"] = "array.npy"

    assert refusal(rewritten(ridge(tmp_path), swap)).refusal is Refusal.CORRUPT
    assert unpickled == []


def nested(schema: State, archive: zipfile.ZipFile) -> None:
    held: Any = state("builtins", "str", "JsonNode", content="1")
    for _ in range(400):
        held = state("builtins", "list", "ListNode", content=[held])
    attributes(schema)["nested"] = held


def deep_value(schema: State, archive: zipfile.ZipFile) -> None:
    attributes(schema)["alpha"]["content"] = "[" * 100_000


def unknown_loader(schema: State, archive: zipfile.ZipFile) -> None:
    attributes(schema)["unknown"] = state("builtins", "list", "NoSuchNode")


def missing_entry(schema: State, archive: zipfile.ZipFile) -> None:
    attributes(schema)["coef_"]["file"] = "../../etc/passwd"


def older_protocol(schema: State, archive: zipfile.ZipFile) -> None:
    schema["protocol"] = -1


@pytest.mark.parametrize("spoil", [nested, deep_value, unknown_loader, missing_entry, older_protocol])
def test_a_schema_that_is_none_is_refused_in_one_line(tmp_path: Path, spoil: Any) -> None:
    path = rewritten(ridge(tmp_path), spoil)

    refused = refusal(path)

    assert refused.reason.startswith(f"{path}: cannot be loaded (")
    assert refused.refusal is Refusal.CORRUPT


@pytest.mark.parametrize("schema", [b"", b"no JSON", b"\xff", b"[" * 100_000, b"null", b"[]", b'{"protocol": 2}'])
def test_a_zip_with_another_schema_is_refused_in_one_line(tmp_path: Path, schema: bytes) -> None:
    path = tmp_path / "churn.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", schema)

    assert refusal(path).reason.startswith(f"{path}: cannot be loaded (")


def test_a_zip_without_a_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "churn.skops"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no model")

    refused = refusal(path)

    assert refused.reason == f"{path}: is a zip, but no skops file"
    assert refused.refusal is Refusal.CORRUPT


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_two_entries_of_one_name_is_refused(tmp_path: Path) -> None:
    path = rewritten(ridge(tmp_path), lambda schema, archive: archive.writestr("schema.json", json.dumps(schema)))

    assert refusal(path).reason == f"{path}: is a zip, but no skops file"


def test_what_cannot_predict_is_refused(tmp_path: Path) -> None:
    path = dumped(StandardScaler().fit(NUMBERS), tmp_path)

    assert refusal(path).reason == "the artifact holds a StandardScaler, which cannot predict"


WITHOUT_SKOPS = """
import sys
sys.modules["skops"] = None
from app.errors import ModelNotReady
from app.runtimes import load_runtime
try:
    load_runtime(sys.argv[1], pin=None, max_bytes=2**24)
except ModelNotReady as error:
    print(error.reason)
"""


def test_where_skops_is_not_installed_the_way_to_install_it_is_told(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_SKOPS, str(ridge(tmp_path))],
        cwd=ROOT, env=own_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert told.stdout == "a .skops artifact needs skops: pip install -r requirements-skops.txt\n"
    assert (ROOT / "requirements-skops.txt").is_file()
