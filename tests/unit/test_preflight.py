"""Findings about a deployment: static ones, and those that need the facts of the cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.deployments import a_spec

from registry_grpc.domain.deployment_options import (
    DeploymentMode,
    DeploymentOptions,
    ScaleMetric,
    StorageUri,
    Toleration,
    TolerationOperator,
)
from registry_grpc.domain.preflight import ClusterFacts, Finding, RuntimeFormat, Runtimes, findings

WELL = ClusterFacts(
    kserve_installed=True,
    namespace_exists=True,
    knative_installed=True,
    runtimes=Runtimes(
        formats=(RuntimeFormat(runtime="kserve-sklearnserver", name="sklearn", version="1", auto_select=True),)
    ),
    storage_prefixes=(),
    service_account_exists=True,
    priority_class_exists=True,
)


def found(*, facts: ClusterFacts | None = None, has_credentials: bool = False, **spec: Any) -> dict[str, Finding]:
    """The findings by code, on a spec without problems except for those of the test."""
    spec.setdefault("storage_uri", "pvc://claim/model")
    return {f.code: f for f in findings("iris", "models", a_spec(**spec), has_credentials=has_credentials, facts=facts)}


def test_nothing_speaks_against_a_good_spec() -> None:
    assert found(facts=WELL) == {}


def test_unknown_facts_claim_nothing() -> None:
    assert found(facts=ClusterFacts(), container_image="any", options=DeploymentOptions(service_account="x")) == {}


def test_all_findings_at_once_with_blocking_ones_first() -> None:
    spec = a_spec(storage_uri="s3://b/k", labels={"team": "not valid"})
    codes = [(f.code, f.blocking) for f in findings("Iris", "models", spec, has_credentials=False)]
    assert codes == [("NAME_INVALID", True), ("INVALID_LABEL", True), ("CREDENTIALS_MISSING", False)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("team", "vision lab"), ("team", "x" * 64), ("team", "-a"), ("team", "é"),
        ("", "a"), ("a b", "a"), ("/team", "a"), ("Example.com/team", "a"), ("a/b/c", "a"), ("x" * 64, "a"),
    ],
)  # fmt: skip
def test_labels_that_kubernetes_refuses(key: str, value: str) -> None:
    finding = found(labels={key: value})["INVALID_LABEL"]
    assert (finding.blocking, finding.field) == (True, "labels")
    assert key in finding.message


@pytest.mark.parametrize(("key", "value"), [("team", ""), ("example.com/team", "A.b_c-1"), ("a", "x" * 63)])
def test_labels_that_kubernetes_takes(key: str, value: str) -> None:
    assert found(labels={key: value}) == {}


@pytest.mark.parametrize(
    "uri",
    ["pvc://c/m", "oci+native://r/m", "file:///m", "/mnt/m", "hdfs://n/m", "https://a.blob.core.windows.net/c/m"],
)
def test_fetchable_uris(uri: str) -> None:
    assert "URI_SCHEME_UNSUPPORTED" not in found(storage_uri=uri, facts=WELL)


@pytest.mark.parametrize("uri", ["ftp://h/m", "abfs://c/m", "git://h/m", "http://a.blob.core.windows.net/m"])
def test_uris_that_kserve_does_not_fetch(uri: str) -> None:
    assert found(storage_uri=uri, facts=WELL)["URI_SCHEME_UNSUPPORTED"].blocking


def test_an_unsupported_uri_blocks_only_when_the_storage_containers_are_known() -> None:
    assert not found(storage_uri="ftp://h/m")["URI_SCHEME_UNSUPPORTED"].blocking
    assert not found(storage_uri="ftp://h/m", facts=ClusterFacts())["URI_SCHEME_UNSUPPORTED"].blocking


@pytest.mark.parametrize(
    "facts",
    [
        ClusterFacts(storage_prefixes=("ftp://",)),
        ClusterFacts(storage_prefixes=(), storage_patterns=("^ftp://h/",)),
        ClusterFacts(storage_prefixes=(), storage_patterns=(r"\Qftp://\E",)),
    ],
    ids=["prefix", "pattern", "a pattern only Go understands"],
)
def test_storage_containers_add_supported_uris(facts: ClusterFacts) -> None:
    assert "URI_SCHEME_UNSUPPORTED" not in found(storage_uri="ftp://h/m", facts=facts)


@pytest.mark.parametrize("uri", ["s3://b/k", "gs://b/k", "hf://org/model"])
def test_missing_credentials_do_not_block(uri: str) -> None:
    assert not found(storage_uri=uri)["CREDENTIALS_MISSING"].blocking
    assert found(storage_uri=uri, has_credentials=True) == {}
    assert found(storage_uri=uri, options=DeploymentOptions(service_account="reader")) == {}


def test_keys_that_a_version_had_block_without_them() -> None:
    finding = found(storage_uri="s3://B/k", needs_keys=True)["CREDENTIALS_NEEDED"]
    assert (finding.blocking, finding.field, "but has none for `s3://b`" in finding.message) == (
        True, "model_version_id", True,
    )  # fmt: skip
    assert "CREDENTIALS_MISSING" not in found(storage_uri="s3://b/k", needs_keys=True)
    assert found(storage_uri="s3://b/k", needs_keys=True, has_credentials=True) == {}
    assert found(storage_uri="pvc://claim/k", needs_keys=True) == {}


def test_credentials_that_nothing_uses() -> None:
    assert not found(storage_uri="pvc://c/m", has_credentials=True)["CREDENTIALS_UNUSED"].blocking


@pytest.mark.parametrize(("uri", "keys"), [("s3://b/k", False), ("gs://b/k", True)])
def test_storage_options_that_nothing_reads(uri: str, keys: bool) -> None:
    options = DeploymentOptions(storage_endpoint="minio:9000", service_account="reader")
    assert "STORAGE_OPTIONS_UNUSED" in found(storage_uri=uri, options=options, has_credentials=keys)


def test_storage_options_beside_keys_are_fine() -> None:
    options = DeploymentOptions(storage_endpoint="minio:9000", storage_region="eu-1")
    assert found(storage_uri="s3://b/k", options=options, has_credentials=True) == {}


@pytest.mark.parametrize(
    ("metric", "target", "is_unused"),
    [("cpu", None, False), ("memory", 80, False), ("memory", None, True), ("concurrency", 5, True), ("rps", 5, True)],
)
def test_scale_metrics_that_standard_mode_ignores(metric: str, target: int | None, is_unused: bool) -> None:
    options = DeploymentOptions(scale_metric=ScaleMetric(metric), scale_target=target)
    findings = found(options=options, facts=WELL)
    assert set(findings) == ({"SCALE_METRIC_UNUSED"} if is_unused else set())
    assert not any(finding.blocking for finding in findings.values())


@pytest.mark.parametrize(
    ("metric", "is_refused"), [("cpu", True), ("memory", True), ("concurrency", False), ("rps", False)]
)
def test_scale_metrics_that_knative_mode_refuses(metric: str, is_refused: bool) -> None:
    options = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE, scale_metric=ScaleMetric(metric))
    findings = found(options=options, facts=WELL)
    assert [(code, finding.blocking) for code, finding in findings.items()] == (
        [("SCALE_METRIC_UNSUPPORTED", True)] if is_refused else []
    )
    # In a pass, KServe itself reports it.
    assert found(options=options) == {}


def test_missing_parts_of_the_cluster() -> None:
    facts = ClusterFacts(
        kserve_installed=False, namespace_exists=False, knative_installed=False, service_account_exists=False
    )
    options = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE, service_account="reader")
    assert {code: f.blocking for code, f in found(facts=facts, options=options).items()} == {
        "KSERVE_NOT_INSTALLED": True,
        "NAMESPACE_NOT_FOUND": True,
        "MODE_UNSUPPORTED": True,
        "SERVICE_ACCOUNT_NOT_FOUND": True,
    }


def test_unrequested_parts_are_not_missing() -> None:
    facts = ClusterFacts(knative_installed=False, service_account_exists=False, priority_class_exists=False)
    assert found(facts=facts) == {}
    options = DeploymentOptions(priority_class_name="high")
    assert found(facts=facts, options=options)["PRIORITY_CLASS_NOT_FOUND"].blocking
    assert found(facts=ClusterFacts(), options=options) == {}


@pytest.mark.parametrize(
    ("permission", "has_credentials", "blocking"),
    [
        ("patch inferenceservices in namespace models", False, True),
        ("list events in namespace models", False, False),
        ("create secrets in namespace models", False, False),
        ("create secrets in namespace models", True, True),
    ],
)
def test_missing_permissions(permission: str, has_credentials: bool, blocking: bool) -> None:
    facts = ClusterFacts(missing_permissions=(permission,))
    spec = a_spec(storage_uri="s3://b/k", options=DeploymentOptions(service_account="reader"))
    (finding,) = findings("iris", "models", spec, has_credentials=has_credentials, facts=facts)
    assert (finding.code, finding.blocking) == ("FORBIDDEN", blocking)
    assert finding.message == f"the registry may not {permission}"


def test_findings_about_runtimes_are_among_them() -> None:
    assert found(model_format="catboost", facts=WELL)["NO_RUNTIME"].blocking


def test_labels_that_are_not_given_to_pods_are_named() -> None:
    spec = a_spec(storage_uri="s3://b/k", labels={"a.io/x": "1", "a.io/y": "2", "team": "a"})
    found = findings("iris", "models", spec, has_credentials=True, reserved_labels=("a.io/",))
    (finding,) = [each for each in found if each.code == "LABEL_RESERVED"]
    assert (finding.blocking, finding.field) == (False, "labels")
    assert finding.message.startswith("`a.io/x`, `a.io/y`: ")


def test_labels_of_nodes_are_checked_too() -> None:
    finding = found(options=DeploymentOptions(node_selector={"gpu": "not valid"}))["INVALID_LABEL"]
    assert (finding.blocking, finding.field) == (True, "options.node_selector")


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("models:/iris/1", "artifact_uri"),
        ("runs:/abc/model", "artifact_uri"),
        ("mlflow-artifacts:/1/abc/artifacts", "--artifacts-destination"),
        ("dbfs:/models/iris", "databricks fs cp"),
        ("C:\\models\\iris", "pvc://"),
        ("c:/models/iris", "pvc://"),
        ("s3:bucket/iris", "s3://"),
    ],
)
def test_uris_of_other_programs_and_machines(uri: str, advice: str) -> None:
    finding = found(storage_uri=uri, facts=WELL)["URI_IS_LOCAL"]
    assert (finding.blocking, finding.field) == (True, "model_version_id")
    assert f"KServe takes `{uri}` for a path" in finding.message
    assert "the download would fail" in finding.message
    assert advice in finding.hint
    assert not found(storage_uri=uri)["URI_IS_LOCAL"].blocking, "a ClusterStorageContainer may support it"
    claimed = ClusterFacts(storage_prefixes=(), storage_patterns=(f"^{uri[0]}",))
    assert found(storage_uri=uri, facts=claimed) == {}


@pytest.mark.parametrize("uri", ["file:///models/iris", "/models/iris", "models/iris", "./iris", "file:iris"])
def test_paths_that_a_container_may_have(uri: str) -> None:
    finding = found(storage_uri=uri, facts=WELL)["URI_IS_LOCAL"]
    assert not finding.blocking
    assert "pvc://" in finding.hint


@pytest.mark.parametrize("uri", ["mlflow-artifacts://host/1", "dbfs://host/iris", "models://iris"])
def test_unsupported_schemes_have_advice(uri: str) -> None:
    assert found(storage_uri=uri, facts=WELL)["URI_SCHEME_UNSUPPORTED"].hint.startswith(("Store the loc", "Copy the"))


@pytest.mark.parametrize("scheme", ["abfs", "git", "modelscope", "model-registry"])
def test_schemes_of_storage_containers(scheme: str) -> None:
    uri = f"{scheme}://place/iris"
    assert found(storage_uri=uri, facts=WELL)["URI_SCHEME_UNSUPPORTED"].blocking
    supported = ClusterFacts(storage_prefixes=(f"{scheme}://",))
    assert not any(finding.blocking for finding in found(storage_uri=uri, facts=supported).values())


def test_each_of_several_uris_is_checked() -> None:
    uris = (StorageUri(uri="s3://b/a", mount_path="/mnt/a"), StorageUri(uri="ftp://h/b", mount_path="/mnt/b"))
    finding = found(options=DeploymentOptions(storage_uris=uris), facts=WELL)["URI_SCHEME_UNSUPPORTED"]
    assert finding.field == "options.storage_uris[1].uri"


def test_keys_of_https_are_visible() -> None:
    finding = found(storage_uri="https://h/m", has_credentials=True)["CREDENTIALS_VISIBLE"]
    assert (finding.blocking, finding.field) == (False, "model_version_id")
    assert found(storage_uri="https://h/m") == {}
    assert found(storage_uri="https://a.blob.core.windows.net/c/m", has_credentials=True) == {}


def test_anonymous_access() -> None:
    anonymous = DeploymentOptions(storage_anonymous=True, storage_endpoint="minio:9000")
    assert found(storage_uri="s3://b/k", options=anonymous) == {}
    assert found(storage_uri="s3://b/k", options=anonymous, needs_keys=True) == {}
    unused = found(storage_uri="s3://b/k", options=anonymous, has_credentials=True)["CREDENTIALS_UNUSED"]
    assert (unused.blocking, unused.field) == (False, "options.storage.anonymous")
    assert set(found(storage_uri="gs://b/k", options=anonymous)) == {"CREDENTIALS_MISSING", "STORAGE_OPTIONS_UNUSED"}
    forbidden = ClusterFacts(missing_permissions=("create secrets in namespace models",))
    assert found(storage_uri="s3://b/k", options=anonymous, facts=forbidden)["FORBIDDEN"].blocking


@pytest.mark.parametrize(
    "option", [{"storage_ca_bundle": "ca"}, {"storage_verify_ssl": False}, {"storage_region": "eu-1"}], ids=str
)
def test_every_storage_option_needs_keys(option: dict[str, Any]) -> None:
    options = DeploymentOptions(service_account="reader", **option)
    assert set(found(storage_uri="s3://b/k", options=options)) == {"STORAGE_OPTIONS_UNUSED"}
    assert found(storage_uri="s3://b/k", options=options, has_credentials=True) == {}


@pytest.mark.parametrize(
    ("mode", "gateways", "is_unused"),
    [("Standard", False, True), ("Standard", True, False), ("Standard", None, False), ("Knative", False, False)],
)
def test_a_timeout_without_the_gateway_api(mode: str, gateways: bool | None, is_unused: bool) -> None:
    options = DeploymentOptions(deployment_mode=DeploymentMode(mode), timeout_seconds=30)
    findings = found(options=options, facts=ClusterFacts(gateway_api_installed=gateways))
    assert set(findings) == ({"TIMEOUT_UNUSED"} if is_unused else set())
    assert not any(finding.blocking for finding in findings.values())
    assert found(facts=ClusterFacts(gateway_api_installed=False)) == {}


KNATIVE_NEEDS = [
    ("node_selector", {"gpu": "l40s"}, "kubernetes.podspec-nodeselector"),
    ("tolerations", (Toleration(key="gpu", operator=TolerationOperator.EXISTS),), "kubernetes.podspec-tolerations"),
    ("priority_class_name", "serving", "kubernetes.podspec-priorityclassname"),
    ("storage_uris", (StorageUri(uri="hf://a/b", mount_path="/mnt/b"),), "kubernetes.podspec-init-containers"),
]


@pytest.mark.parametrize(("option", "value", "flag"), KNATIVE_NEEDS, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize(
    ("said", "blocking"),
    [("", True), ("Disabled", True), ("yes", True), (None, False), ("enabled", None), ("Allowed", None)],
)
def test_options_that_knative_refuses_without_a_feature_flag(
    option: str, value: Any, flag: str, said: str | None, blocking: bool | None
) -> None:
    options = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE, **{option: value})
    facts = replace(WELL, knative_features=None if said is None else {flag: said})
    codes = found(facts=facts, options=options)
    if blocking is None:
        assert "OPTION_UNSUPPORTED" not in codes
        return
    finding = codes["OPTION_UNSUPPORTED"]
    assert (finding.blocking, finding.field) == (blocking, f"options.{option}")
    assert f"{flag}: enabled" in finding.message
    assert "OPTION_UNSUPPORTED" not in found(
        facts=facts, options=replace(options, deployment_mode=DeploymentMode.STANDARD)
    )


@pytest.mark.parametrize("features", [{}, {"x": "y"}, None], ids=str)
def test_knative_has_shared_memory_unless_it_was_switched_off(features: dict[str, str] | None) -> None:
    options = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE, shared_memory="1Gi")
    assert "OPTION_UNSUPPORTED" not in found(facts=replace(WELL, knative_features=features), options=options)
    switched = {"kubernetes.podspec-volumes-emptydir": "disabled"}
    assert found(facts=replace(WELL, knative_features=switched), options=options)["OPTION_UNSUPPORTED"].blocking


@pytest.mark.parametrize(("has_field", "is_refused"), [(True, False), (False, True), (None, False)])
def test_storage_uris_need_a_kserve_that_knows_them(has_field: bool | None, is_refused: bool) -> None:
    options = DeploymentOptions(storage_uris=(StorageUri(uri="hf://a/b", mount_path="/mnt/b"),))
    codes = found(facts=replace(WELL, has_storage_uris_field=has_field), options=options)
    assert ("OPTION_UNSUPPORTED" in codes) is is_refused
    if is_refused:
        finding = codes["OPTION_UNSUPPORTED"]
        assert (finding.blocking, finding.field) == (True, "options.storage_uris")
        assert "KServe 0.16" in finding.message


@pytest.mark.parametrize(
    ("uri", "words", "blocking"),
    [
        ("s3://", "names no bucket", True), ("gs:///path", "names no bucket", True), ("pvc://", "names no claim", True),
        ("hf://bert", "hf://<organization>/<model>", False), ("hf://a/b/c", "hf://<organization>/<model>", False),
        ("hf://a/b/", "hf://<organization>/<model>", False), ("hf:///b", "hf://<organization>/<model>", False),
        ("https://huggingface.co/google-bert/bert", "write hf://google-bert/bert", False),
        ("https://huggingface.co/a/b/tree/main", "write hf://a/b", False),
        ("s3://b/k ", "blanks", False),
    ],
)  # fmt: skip
def test_uris_in_which_no_files_can_be(uri: str, words: str, blocking: bool) -> None:
    finding = found(storage_uri=uri, facts=WELL)["URI_MALFORMED"]
    assert (finding.blocking, finding.field) == (blocking, "model_version_id")
    assert words in finding.message
    assert not found(storage_uri=uri)["URI_MALFORMED"].blocking, "a ClusterStorageContainer may support it"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://b", "s3://b/k", "gs://b/k", "pvc://claim", "pvc://claim/k", "hf://a/b", "hf://a/b:main", "hf://a/b:0a1b2c",
        "https://huggingface.co/a/b/resolve/main/model.tar.gz", "https://example.com/m.tar.gz", "oci://ghcr.io/a/b:1",
    ],
)  # fmt: skip
def test_uris_in_which_files_can_be(uri: str) -> None:
    assert not {"URI_MALFORMED", "URI_IS_LOCAL", "URI_SCHEME_UNSUPPORTED"} & found(storage_uri=uri, facts=WELL).keys()


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("S3://b/k", "Write s3://b/k."), ("s3a://b/k", "s3://"), ("gcs://b/k", "gs://"), ("huggingface://a/b", "hf://"),
        ("wasbs://c@a.blob.core.windows.net/m", "blob.core.windows.net/<container>"), (" s3://b/k", "blanks"),
        ("abfss://c@a.dfs.core.windows.net/m", "blob.core.windows.net/<container>"), ("s3:/b/k", "Write s3://b/k."),
        ("google-bert/bert-base-uncased", "write hf://google-bert/bert-base-uncased"),
        ("./model.pkl", "Copy the model"),
    ],
)  # fmt: skip
def test_how_kserve_would_write_a_uri(uri: str, hint: str) -> None:
    codes = found(storage_uri=uri, facts=WELL)
    assert hint in (codes.get("URI_SCHEME_UNSUPPORTED") or codes["URI_IS_LOCAL"]).hint


def test_storage_options_for_another_place_than_s3_are_to_be_left_out() -> None:
    options = DeploymentOptions(storage_anonymous=True)
    finding = found(storage_uri="gs://b/k", options=options)["STORAGE_OPTIONS_UNUSED"]
    assert "only uses it for s3://" in finding.message
    assert finding.hint == "Leave it out."
