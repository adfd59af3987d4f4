"""Which serving runtime serves a model, on the runtimes that KServe ships and on others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.deployments import a_deployment, a_spec

from registry_grpc.adapters.kserve.facts import in_order
from registry_grpc.adapters.kserve.manifests import Fit
from registry_grpc.devtools.simulated_cluster.kserve.runtimes import NoRuntime, choose, shipped_runtimes
from registry_grpc.domain.deployment import Applied, DeploymentSpec
from registry_grpc.domain.deployment_options import DeploymentOptions, ServingProtocol
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.runtimes import ModelFormat, RuntimeFormat, Runtimes

SHIPPED = Runtimes(formats=tuple(in_order(shipped_runtimes())))


def a_format(runtime: str, name: str, version: str, **fields: Any) -> RuntimeFormat:
    made = RuntimeFormat(runtime=runtime, name=name, version=version, auto_select=True)
    return replace(made, **fields)


OWN = Runtimes(
    formats=(
        a_format("newer", "prophet", "1.3"),
        a_format("older", "prophet", "1.1"),
        a_format("oldest", "prophet", "0"),
        a_format("next", "prophet", "3"),
        a_format("bare", "rules", ""),
        a_format("manual", "catboost", "1", auto_select=False),
        a_format("off", "pmml", "4", is_disabled=True),
        a_format("v2-only", "whisper", "1", protocols=("v2",)),
        a_format("grpc-only", "whisper", "2", protocols=("grpc-v2",)),
        a_format("none", "", "", auto_select=False, protocols=()),
        a_format("upper", "Caffe", "1"),
        a_format("lower", "mxnet", "1"),
        a_format("as-well", "MXNet", "2"),
        a_format("major", "ladder", "1"),
        a_format("minor", "ladder", "1.6"),
        a_format("old-triton", "triton", "1", protocols=("v1",)),
    ),
    names={"fbprophet": "prophet", "rules": "prophet", "caffe2": "caffe"},
)


def said(framework: str, version: str = "", *, runtime: str = "", protocol: str = "") -> DeploymentSpec:
    options = DeploymentOptions(runtime=runtime, protocol_version=ServingProtocol(protocol) if protocol else None)
    return a_spec(model_format=framework, model_format_version=version, options=options)


def finding(spec: DeploymentSpec, runtimes: Runtimes) -> Finding:
    (found,) = runtimes.findings(spec)
    return found


@pytest.mark.parametrize(
    ("framework", "version", "asked", "runtime"),
    [
        ("sklearn", "1.6.1", ("sklearn", "1", None), "kserve-sklearnserver"),
        ("scikit-learn", "1.6.1", ("sklearn", "1", None), "kserve-sklearnserver"),
        ("sklearn", "0.24.2", ("sklearn", "0", "v2"), "kserve-mlserver"),
        ("sklearn", "", ("sklearn", "", None), "kserve-sklearnserver"),
        ("pytorch", "2.1.0", ("pytorch", "1", None), "kserve-torchserve"),
        ("PyTorch", "1.13.1+cu117", ("pytorch", "1", None), "kserve-torchserve"),
        ("torch", "2.1.0", ("pytorch", "1", None), "kserve-torchserve"),
        ("xgboost", "2.1.0", ("xgboost", "2", None), "kserve-xgbserver"),
        ("XGBoost", "1.7", ("xgboost", "1", "v2"), "kserve-mlserver"),
        ("lightgbm", "v4.5", ("lightgbm", "4", None), "kserve-lgbserver"),
        ("tensorflow", "2.15.0", ("tensorflow", "2", None), "kserve-tensorflow-serving"),
        ("keras", "2.15.0", ("tensorflow", "2", None), "kserve-tensorflow-serving"),
        ("onnx", "1.16.0", ("onnx", "1", None), "kserve-openvino"),
        ("mlflow", "2.9.2", ("mlflow", "2", "v2"), "kserve-mlserver"),
        ("TensorRT", "8.6", ("tensorrt", "8", "v2"), "kserve-tritonserver"),
        ("triton", "2.39", ("triton", "2", "v2"), "kserve-tritonserver"),
        ("vllm", "0.6.3", ("vLLM", "1", "v2"), "kserve-vllmserver"),
        ("vLLM", "1", ("vLLM", "1", "v2"), "kserve-vllmserver"),
        ("transformers", "4.45.1", ("huggingface", "1", None), "kserve-huggingfaceserver"),
        ("hf", "latest", ("huggingface", "1", None), "kserve-huggingfaceserver"),
    ],
)
def test_kserve_is_asked_for_what_a_shipped_runtime_lists(
    framework: str, version: str, asked: tuple[str, str, str | None], runtime: str
) -> None:
    spec = said(framework, version)
    assert SHIPPED.asked_for(spec) == asked
    chosen = SHIPPED.chosen(spec)
    assert chosen is not None
    assert chosen.runtime == runtime
    assert not any(found.blocking for found in SHIPPED.findings(spec))
    # The simulated KServe, which compares texts, chooses the same one.
    assert choose(model_of(SHIPPED.asked_for(spec)), shipped_runtimes())["metadata"]["name"] == runtime


def model_of(asked: ModelFormat) -> dict[str, Any]:
    named = {"name": asked.name, **({"version": asked.version} if asked.version else {})}
    return {"modelFormat": named, **({"protocolVersion": asked.protocol} if asked.protocol else {})}


@pytest.mark.parametrize(
    ("version", "nearest"),
    [
        ("1.3", "1.3"), ("1.3.7", "1.3"), ("1", "1.3"), ("1.2", "1.3"), ("1.0", "1.1"), ("1.1.9", "1.1"), ("0.9", "0"),
        ("2", "3"), ("7", "3"), ("2.9", "3"), ("1.9", "1.3"), ("newest", "3"), ("v1.1", "1.1"),
    ],
)  # fmt: skip
def test_the_nearest_version(version: str, nearest: str) -> None:
    assert OWN.asked_for(said("prophet", version)).version == nearest


@pytest.mark.parametrize(
    "version",
    [
        " 1.6.1", "1.6.1 ", "\t1.6.1\n", "v1.6", "V1.6", "v 1.6", "==1.6.1", ">=1.6", "~=1.6", "1.6.1+cpu", "1.6.1a1",
        "1.6.x", "1.6.*", "01.6", "1.6.", " ", "1", "1." + "6" * 40,
    ],
)  # fmt: skip
def test_a_version_is_recognized_however_it_is_written(version: str) -> None:
    """Only the nearest version of the format serves, so there is nothing to tell."""
    spec = said("sklearn", version)
    assert SHIPPED.asked_for(spec).version in {"1", ""}
    assert SHIPPED.findings(spec) == ()


@pytest.mark.parametrize("version", ["latest", "stable", "newest", "cu121", "-", "²", "1" * 50])
def test_what_is_no_version_gets_the_newest_and_is_told(version: str) -> None:
    assert SHIPPED.asked_for(said("sklearn", version)).version == "1"
    assert finding(said("sklearn", version), SHIPPED).code == "RUNTIME_VERSION_DIFFERS"


@pytest.mark.parametrize("name", [" sklearn", "SKLearn ", "Scikit-Learn\n", " scikit_learn "])
def test_blanks_and_case_of_a_framework_do_not_matter(name: str) -> None:
    assert SHIPPED.asked_for(said(name, "1.6.1")) == ("sklearn", "1", None)
    assert Runtimes().asked_for(said(name, " 1.6.1 ")).version == "1.6.1"


def test_a_runtime_with_an_endless_version_harms_nobody() -> None:
    """Whoever may make runtimes in a namespace could otherwise stop all deployments there."""
    runtimes = Runtimes(formats=(a_format("odd", "sklearn", "9" * 5000), a_format("good", "sklearn", "1")))
    assert runtimes.asked_for(said("sklearn", "1.6.1")).version == "1"


@pytest.mark.parametrize(
    ("version", "differs"), [("1.3.7", False), ("1", False), ("", False), ("2", True), ("new", True)]
)
def test_another_version_than_the_models_is_told(version: str, differs: bool) -> None:
    spec = said("prophet", version)
    assert [found.code for found in OWN.findings(spec)] == ["RUNTIME_VERSION_DIFFERS"] * differs
    if version == "2":
        found = finding(spec, OWN)
        assert not found.blocking
        assert found.message == "no serving runtime lists prophet 2; the nearest is prophet 3 of `next`, which is used"


def test_the_most_exact_version_comes_first() -> None:
    assert OWN.asked_for(said("ladder", "1.6.1")).version == "1.6"
    assert OWN.asked_for(said("ladder", "1.5.1")).version == "1"


def test_kserve_asks_triton_for_v2() -> None:
    assert finding(said("triton", "1"), OWN).code == "NO_RUNTIME"
    assert finding(said("triton", "1", runtime="old-triton"), OWN).code == "RUNTIME_MISMATCH"


def test_a_format_without_a_version_serves_all() -> None:
    assert OWN.asked_for(said("rules", "7")) == ("rules", "", None)


@pytest.mark.parametrize(
    ("framework", "name"),
    [
        ("fbprophet", "prophet"),
        ("FBProphet", "prophet"),
        ("rules", "rules"),
        ("CAFFE", "Caffe"),
        ("caffe2", "Caffe"),
        ("mxnet", "mxnet"),
        ("MXNet", "MXNet"),
        ("mine", "mine"),
    ],
)
def test_names_that_a_runtime_lists_come_first(framework: str, name: str) -> None:
    assert OWN.asked_for(said(framework)).name == name


def test_without_knowing_the_runtimes_only_names_are_mapped() -> None:
    assert Runtimes().asked_for(said("scikit-learn", "1.6.1")) == ("sklearn", "1.6.1", None)
    assert Runtimes().asked_for(said("vllm", "1", protocol="v1")) == ("vLLM", "1", "v1")
    assert Runtimes().findings(said("anything", "1", runtime="any")) == ()


def test_a_format_that_nothing_serves_is_asked_for_without_a_version() -> None:
    assert OWN.asked_for(said("torch", "2.1")) == ("torch", "", None)
    assert SHIPPED.asked_for(said("catboost", "1.2")) == ("catboost", "", None)


def test_an_unknown_format_names_the_nearest_and_the_known_ones() -> None:
    found = finding(said("sklern", "1.2"), SHIPPED)
    assert (found.code, found.blocking, found.field) == ("NO_RUNTIME", True, "model_version_id")
    assert "sklern 1.2" in found.message
    assert "lightgbm, mlflow, onnx" in found.message
    assert found.hint.startswith("The nearest is sklearn 1 of `kserve-sklearnserver`")
    assert finding(said("x"), Runtimes(formats=())).hint.startswith("Install a runtime")


def test_runtimes_that_must_be_named() -> None:
    assert finding(said("catboost"), OWN).hint == "Name one in `options.runtime`: manual."
    assert OWN.findings(said("catboost", runtime="manual")) == ()


def test_protocols() -> None:
    assert OWN.asked_for(said("whisper", "1")).protocol == "v2"
    assert OWN.asked_for(said("whisper", "2")) == ("whisper", "1", "v2")  # no other protocol without being asked
    assert OWN.asked_for(said("whisper", "1", protocol="grpc-v2")) == ("whisper", "2", "grpc-v2")
    assert OWN.asked_for(said("whisper", "1", runtime="v2-only")).protocol is None  # KServe takes the runtime's
    found = finding(said("whisper", "1", protocol="v1"), OWN)
    assert (found.code, found.field) == ("NO_RUNTIME", "options.protocol_version")
    assert found.message == "no serving runtime speaks `v1` for whisper 1; those for it speak: grpc-v2, v2"


def test_a_runtime_that_speaks_all_protocols() -> None:
    runtimes = Runtimes(formats=(a_format("all", "x", "1", protocols=()),))
    assert runtimes.asked_for(said("x", "1")) == ("x", "1", None)
    assert runtimes.asked_for(said("x", "1", protocol="grpc-v1")) == ("x", "1", "grpc-v1")


def test_a_named_runtime_that_is_missing_or_disabled() -> None:
    assert finding(said("pmml"), OWN).code == "NO_RUNTIME"
    assert "kserve-openvino, kserve-paddleserver" in finding(said("sklearn", runtime="nope"), SHIPPED).message
    assert finding(said("sklearn", runtime="nope"), SHIPPED).code == "RUNTIME_NOT_FOUND"
    assert finding(said("pmml", runtime="off"), OWN).code == "RUNTIME_DISABLED"


@pytest.mark.parametrize(
    ("spec", "message", "field"),
    [
        (said("sklearn", runtime="kserve-xgbserver"),
         "the serving runtime `kserve-xgbserver` does not support sklearn; it supports: xgboost 2", "runtime"),
        (said("prophet", "1", runtime="none"),
         "the serving runtime `none` does not support prophet 1; it supports: no format", "runtime"),
        (said("whisper", "1", runtime="v2-only", protocol="v1"),
         "the serving runtime `v2-only` does not speak `v1`; it speaks: v2", "protocol_version"),
    ],
)  # fmt: skip
def test_a_named_runtime_that_does_not_fit(spec: DeploymentSpec, message: str, field: str) -> None:
    runtimes = SHIPPED if "kserve" in spec.runtime else OWN
    found = finding(spec, runtimes)
    assert (found.code, found.message, found.field) == ("RUNTIME_MISMATCH", message, f"options.{field}")


def test_a_named_runtime_is_asked_for_its_own_version() -> None:
    assert OWN.asked_for(said("prophet", "1.3", runtime="oldest")) == ("prophet", "0", None)
    assert OWN.asked_for(said("sklearn", "1.6.1", runtime="kserve-mlserver")).version == ""
    assert SHIPPED.asked_for(said("scikit-learn", "1.6.1", runtime="kserve-mlserver")) == ("sklearn", "1", None)
    assert SHIPPED.asked_for(said("triton", "2", runtime="kserve-tritonserver")).protocol == "v2"


def a_runtime(name: str, *formats: dict[str, Any], created: str = "", protocols: tuple[str, ...] = ("v1",)) -> Any:
    metadata = {"name": name, "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"supportedModelFormats": list(formats), "protocolVersions": list(protocols)}}


def test_the_order_is_kserves() -> None:
    x = {"name": "x", "version": "1", "autoSelect": True}
    runtimes = [
        a_runtime("b", x, created="2026-01-01"),
        a_runtime("a", x, created="2026-01-01"),
        a_runtime("newest", x, created="2026-02-01"),
        a_runtime("newest-v2", x, created="2026-03-01", protocols=("v2",)),
        a_runtime("low", {**x, "priority": 1}),
        # KServe takes the priority of the first format with the name.
        a_runtime("high", {"name": "x", "version": "0", "priority": 5}, {**x, "priority": 1}),
        a_runtime("all", x, protocols=()),
    ]
    order = list(dict.fromkeys(item.runtime for item in in_order(runtimes)))
    assert order == ["high", "low", "all", "newest", "a", "b", "newest-v2"]


def test_runtimes_that_kserve_never_selects() -> None:
    x = {"name": "x", "version": "1", "autoSelect": True}
    specials: list[dict[str, Any]] = [{"multiModel": True}, {"workerSpec": {}}]
    for special in specials:
        runtime = a_runtime("special", x)
        runtime["spec"] |= special
        assert [item.auto_select for item in in_order([runtime])] == [False]


def test_a_revision_that_is_applied_again_asks_for_the_same() -> None:
    probe = {"failureThreshold": 60}
    model = {"modelFormat": {"name": "sklearn", "version": "1"}, "protocolVersion": "v2", "startupProbe": probe}
    content = {
        "spec": {"predictor": {"model": {**model, "protocolVersion": "v1"}}},
        "ours": {"predictor": {"model": model}},
    }
    applied = Applied(uid="u", k8s_generation=1, resource_version="1", content=content)
    deployment = a_deployment(spec=said("scikit-learn", "1.6"), applied=applied, applied_generation=1)
    assert Fit.as_applied(deployment) == (("sklearn", "1", "v2"), {"startupProbe": probe})
    assert Fit.as_applied(replace(deployment, generation=2)) is None
    assert Fit.as_applied(a_deployment(spec=deployment.spec)) is None


def fitted(runtime: RuntimeFormat, **options: int) -> Any:
    spec = a_spec(options=DeploymentOptions(**options))  # type: ignore[arg-type]
    return Fit.of(spec, Runtimes(formats=(runtime,))).probes


def test_probes_that_the_runtime_has_keep_its_check() -> None:
    vllm = a_format("vllm", "sklearn", "1", probes=("startupProbe", "readinessProbe", "livenessProbe"))
    assert fitted(vllm, probe_startup_seconds=601, probe_timeout_seconds=5) == {
        "startupProbe": {"periodSeconds": 10, "failureThreshold": 61, "timeoutSeconds": 5},
        "readinessProbe": {"timeoutSeconds": 5},
        "livenessProbe": {"timeoutSeconds": 5},
    }
    assert fitted(vllm) == {}


def test_other_probes_check_the_port() -> None:
    bare = a_format("bare", "sklearn", "1", port=9000)
    check = {"tcpSocket": {"port": 9000}}
    assert fitted(bare, probe_startup_seconds=600) == {
        "startupProbe": {**check, "periodSeconds": 10, "failureThreshold": 60}
    }
    assert fitted(bare, probe_timeout_seconds=5) == {"readinessProbe": {**check, "timeoutSeconds": 5}}
    unknown = Fit.of(a_spec(options=DeploymentOptions(probe_timeout_seconds=5)), Runtimes())
    assert unknown.probes == {"readinessProbe": {"tcpSocket": {"port": 8080}, "timeoutSeconds": 5}}


def test_probes_and_ports_of_runtimes_are_read() -> None:
    runtime = a_runtime("r", {"name": "x"})
    container = {"name": "kserve-container", "ports": [{"containerPort": 7000}], "livenessProbe": {"exec": {}}}
    runtime["spec"]["containers"] = [{"name": "sidecar"}, container]
    (item,) = in_order([runtime])
    assert (item.probes, item.port) == (("livenessProbe",), 7000)


def test_the_simulated_kserve_is_strict() -> None:
    with pytest.raises(NoRuntime):
        choose({"modelFormat": {"name": "sklearn", "version": "1.6.1"}}, shipped_runtimes())
    with pytest.raises(NoRuntime):
        choose({"modelFormat": {"name": "mlflow", "version": "2"}}, shipped_runtimes())


@pytest.mark.parametrize("framework", ["vllm", "transformers", "huggingface", "sentence-transformers", "safetensors"])
def test_versions_of_libraries_are_not_compared_with_numbers_of_kserves_own(framework: str) -> None:
    """KServe's runtimes for language models list a 1 that is no version of vLLM or transformers."""
    assert SHIPPED.findings(said(framework, "4.57.1")) == ()
    assert SHIPPED.chosen(said(framework, "4.57.1")) is not None


def test_a_framework_that_resembles_none_gets_no_wild_guess() -> None:
    assert finding(said("jax", "0.8"), SHIPPED).hint.startswith("Correct the framework of the version")


def test_messages_have_no_blanks_of_the_version() -> None:
    assert "lists PyTorch 2.9.0;" in finding(said("PyTorch ", " 2.9.0 "), SHIPPED).message
