"""deploy/helm: rendered by Helm, held against the schemas of Kubernetes, and its options taken by our processes.

The Helm here is its library (v4); no cluster is asked, so what `lookup` finds, and what a cluster does with it all, is not under test.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from commserver.settings import CommServerSettings
from coordinator.settings import CoordinatorSettings
from service.settings import ServiceSettings, load, unknown_variables
from tests.support.deployment import DEPLOY, Tools
from tests.support.dockerfile import stages

CHART = DEPLOY / "helm" / "rtcbroker"
RELEASE = "my"
PREFIX = f"{RELEASE}-rtcbroker"
IMAGE = stages((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))[-1]
MODELS: dict[str, type[ServiceSettings]] = {"coordinator": CoordinatorSettings, "commserver": CommServerSettings}
AFTER_DRAIN_S = 5
OLDEST, NEWEST = "1.25", "1.37"

REDIS = {"url": "redis://redis:6379", "existingSecret": "redis", "passwordKey": "password"}
PRIVATE_REDIS = {**REDIS, "url": "rediss://redis:6379", "caKey": "ca.crt"}
EVERYTHING: dict[str, Any] = {
    "image": {"repository": "registry.example.com/rtcbroker", "digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "auth": {"existingSecret": "mine", "secretKey": "secret"},
    "backplane": REDIS,
    "coordinator": {
        "replicas": 3,
        "config": {
            "selector": "two-choices",
            "allowed_origins": ["https://a.example", "https://b.example"],
            "ping_interval": 5,
            "ice_servers": ["turn:turn.example.com"],
            "ice_turn_secret_file": "/etc/rtcbroker/turn/turn-secret",
        },
        "extraVolumes": [{"name": "turn", "secret": {"secretName": "turn", "items": [{"key": "secret", "path": "turn-secret"}]}}],
        "extraVolumeMounts": [{"name": "turn", "mountPath": "/etc/rtcbroker/turn", "readOnly": True}],
        "extraEnv": [{"name": "RTCBROKER_LOG_LEVEL", "value": "debug"}],
        "nodeSelector": {"pool": "web"},
        "tolerations": [{"key": "web", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "podAnnotations": {"a": "b"},
        "service": {"type": "LoadBalancer", "port": 80, "annotations": {"c": "d"}},
    },
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "host": "rtc.example.com",
        "tlsSecret": "tls",
        "annotations": {"e": "f"},
        "trustedProxies": ["10.0.0.0/8"],
    },
    "commserver": {
        "kind": "DaemonSet",
        "udpPort": 7100,
        "announce": ["203.0.113.7", "HOST_IP"],
        "drainSeconds": 90,
        "config": {"max_peers": 500, "latest": ["position/**"], "ca_file": "/etc/rtcbroker/authority/ca.pem"},
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "ca", "items": [{"key": "ca.crt", "path": "ca.pem"}]}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/rtcbroker/authority", "readOnly": True}],
        "nodeSelector": {"pool": "media"},
        "tolerations": [{"key": "media", "operator": "Exists"}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
}
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "two coordinators": {"coordinator": {"replicas": 2}, "backplane": REDIS},
    "a Redis with an authority of its own": {"coordinator": {"replicas": 2}, "backplane": PRIVATE_REDIS},
    "bare": {
        "networkPolicy": {"enabled": False},
        "commserver": {"replicas": 1, "podDisruptionBudget": {"enabled": False, "maxUnavailable": 1}},
    },
}


def render(tools: Tools, values: dict[str, Any]) -> dict[str, str]:
    rendered: dict[str, str] = tools.query("helm_template", chart=str(CHART), values=values, release=RELEASE, namespace="rtc")
    return rendered


def manifests(tools: Tools, values: dict[str, Any]) -> list[dict[str, Any]]:
    text = "\n---\n".join(text for name, text in render(tools, values).items() if name.endswith(".yaml"))
    return tools.yaml(text)


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest, tools: Tools) -> list[dict[str, Any]]:
    """What each of the cases makes."""
    return manifests(tools, CASES[request.param])


def the(made: list[dict[str, Any]], kind: str, component: str) -> dict[str, Any]:
    (found,) = [each for each in made if each["kind"] == kind and each["metadata"]["name"] == f"{PREFIX}-{component}"]
    return found


def workloads(made: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By component."""
    return {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each
        for each in made
        if each["kind"] in ("Deployment", "StatefulSet", "DaemonSet")
    }


def settings_of(workload: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """What the process makes of the image's environment and the container's."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    environment = {name: value for name, value in IMAGE.environment.items() if name.startswith("RTCBROKER_")}
    environment |= {each["name"]: each["value"] for each in container["env"] if "value" in each}
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("$(HOST_IP)", "192.0.2.1"))
    model = MODELS[container["args"][0]]
    assert unknown_variables(model) == []
    return load(model, {})


def test_helm_has_nothing_to_say_but_of_an_icon(tools: Tools) -> None:
    report = tools.query("helm_lint", chart=str(CHART), values={})
    assert report["errors"] in ([], None)
    assert [message for message in report["messages"] or [] if "icon" not in message["error"]] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field(made: list[dict[str, Any]], tools: Tools, version: str) -> None:
    plain = [each for each in made if not each["apiVersion"].startswith("monitoring.coreos.com")]
    assert tools.query("validate_kubernetes", manifests=plain, version=version) == len(plain) > 5


def test_names_do_not_collide(made: list[dict[str, Any]]) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in made]
    assert len(set(names)) == len(names)


def test_the_processes_take_their_options(made: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = settings_of(workloads(made)["coordinator"], monkeypatch)
    commserver = settings_of(workloads(made)["commserver"], monkeypatch)
    for settings in (coordinator, commserver):
        assert settings.auth == "token"
        assert settings.auth_secret_file is not None
    assert isinstance(commserver, CommServerSettings)
    pod = workloads(made)["commserver"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > commserver.drain_seconds + AFTER_DRAIN_S
    (media,) = [port for port in pod["containers"][0]["ports"] if port["name"] == "media"]
    assert media == {"name": "media", "protocol": "UDP", "containerPort": commserver.udp_port, "hostPort": commserver.udp_port}
    assert "192.0.2.1" in commserver.announce


def test_options_given_as_values_arrive(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workloads(manifests(tools, EVERYTHING))
    coordinator = settings_of(made["coordinator"], monkeypatch)
    assert isinstance(coordinator, CoordinatorSettings)
    assert coordinator.selector == "two-choices"
    assert coordinator.allowed_origins == ["https://a.example", "https://b.example"]
    assert (coordinator.ping_interval, coordinator.log_level) == (5.0, "debug")
    assert (coordinator.trusted_proxies, coordinator.public_url) == (["10.0.0.0/8"], "https://rtc.example.com")
    assert coordinator.backplane.get_secret_value() == REDIS["url"]
    assert coordinator.ice_turn_secret_file == Path("/etc/rtcbroker/turn/turn-secret")
    commserver = settings_of(made["commserver"], monkeypatch)
    assert isinstance(commserver, CommServerSettings)
    assert (commserver.max_peers, commserver.latest, commserver.drain_seconds) == (500, ["position/**"], 90.0)
    assert commserver.announce == ["203.0.113.7", "192.0.2.1"]
    assert commserver.coordinator == f"ws://{PREFIX}-coordinator:80"


def test_coordinators_meet_on_a_redis_by_tls_with_its_password(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = settings_of(
        workloads(manifests(tools, CASES["a Redis with an authority of its own"]))["coordinator"], monkeypatch
    )
    assert isinstance(coordinator, CoordinatorSettings)
    assert coordinator.backplane.get_secret_value() == PRIVATE_REDIS["url"]
    assert (str(coordinator.backplane_password_file), str(coordinator.backplane_ca_file)) == (
        "/etc/rtcbroker/backplane/password",
        "/etc/rtcbroker/backplane/ca.crt",
    )


def test_no_variable_is_set_twice(made: list[dict[str, Any]]) -> None:
    for workload in workloads(made).values():
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        names = [each["name"] for each in container["env"]]
        assert len(set(names)) == len(names)


def test_an_option_that_the_chart_leaves_alone_may_be_given(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"trusted_proxies": ["10.0.0.2"], "backplane": "redis://elsewhere"}
    made = workloads(manifests(tools, {"coordinator": {"config": config}, "commserver": {"config": {"hub": True}}}))
    coordinator, commserver = (settings_of(made[name], monkeypatch) for name in ("coordinator", "commserver"))
    assert isinstance(coordinator, CoordinatorSettings)
    assert coordinator.trusted_proxies == ["10.0.0.2"]
    assert isinstance(commserver, CommServerSettings)
    assert commserver.hub, "all of a release's pods are hubs, or none"


def test_every_file_that_a_process_reads_is_mounted(made: list[dict[str, Any]]) -> None:
    for workload in workloads(made).values():
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        for value in (each.get("value", "") for each in container["env"]):
            if value.startswith("/etc/"):
                folder, _, file = value.rpartition("/")
                assert file in [item["path"] for item in mounts[folder]["secret"]["items"]]
        assert "/tmp" in mounts, "the ready file, which the image's health check reads, is there"


def test_probes_ask_pages_that_exist(made: list[dict[str, Any]]) -> None:
    for workload in workloads(made).values():
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        model = MODELS[container["args"][0]]
        assert ports["http"] == model.model_fields["port"].default
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["path"] in ("/healthz", "/readyz")
            assert container[probe]["httpGet"]["port"] == "http"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "who is not ready is not to be killed"


def test_pods_have_no_more_rights_than_they_need(made: list[dict[str, Any]]) -> None:
    for workload in workloads(made).values():
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == IMAGE.only("USER").rest
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID"} & pod.keys()
        assert re.fullmatch(r"\S+(:\d\S*|@sha256:[0-9a-f]{64})", container["image"])


def test_services_policies_and_budgets_choose_the_pods(made: list[dict[str, Any]]) -> None:
    labels = {name: workload["spec"]["template"]["metadata"]["labels"] for name, workload in workloads(made).items()}
    for each in made:
        spec = each.get("spec", {})
        selector = spec.get("selector", {}) if each["kind"] == "Service" else spec.get("podSelector", spec.get("selector", {}))
        wanted = selector.get("matchLabels", selector)
        if each["kind"] in ("Service", "NetworkPolicy", "PodDisruptionBudget", "Deployment", "StatefulSet", "DaemonSet"):
            chosen = [name for name, own in labels.items() if wanted.items() <= own.items()]
            component = wanted["app.kubernetes.io/component"]
            assert chosen == ([] if component == "nothing" else [component]), each["metadata"]["name"]


def test_what_is_promised_is_there(tools: Tools) -> None:
    kinds = [each["kind"] for each in manifests(tools, EVERYTHING)]
    assert {"Deployment", "DaemonSet", "Service", "Secret", "NetworkPolicy", "PodDisruptionBudget", "Ingress"} - set(kinds) == {
        "Secret"
    }
    assert kinds.count("ServiceMonitor") == 2
    assert kinds.count("PodDisruptionBudget") == 2
    made = manifests(tools, {})
    assert the(made, "StatefulSet", "commserver")["spec"]["replicas"] == 3
    assert the(made, "Deployment", "coordinator")["spec"]["strategy"] == {"type": "Recreate"}
    assert len([each for each in made if each["kind"] == "PodDisruptionBudget"]) == 1, "one coordinator could never be moved"


def test_the_secret_that_is_made_is_long_and_another_every_time(tools: Tools) -> None:
    made = [the(manifests(tools, {}), "Secret", "auth") for _ in range(2)]
    secrets = [each["data"]["auth-secret"] for each in made]
    assert secrets[0] != secrets[1]
    assert all(len(secret) >= 64 for secret in secrets)
    assert made[0]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_its_alerts_are_those_that_are_tested(tools: Tools) -> None:
    assert (CHART / "rules.yml").read_bytes() == (DEPLOY / "prometheus" / "rules.yml").read_bytes(), (
        "cp deploy/prometheus/rules.yml deploy/helm/rtcbroker/"
    )
    (rule,) = [each for each in manifests(tools, EVERYTHING) if each["kind"] == "PrometheusRule"]
    assert [rule["spec"]] == tools.yaml((CHART / "rules.yml").read_text(encoding="utf-8"))


def test_monitors_give_the_names_that_alerts_go_by(tools: Tools) -> None:
    monitors = [each for each in manifests(tools, EVERYTHING) if each["kind"] == "ServiceMonitor"]
    jobs = {
        relabel["replacement"]
        for each in monitors
        for relabel in each["spec"]["endpoints"][0]["relabelings"]
        if "replacement" in relabel
    }
    assert jobs == {"rtcbroker-coordinator", "rtcbroker-commserver"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"coordinator": {"replicas": 2}}, "backplane.url"),
        ({"coordinator": {"stopDelaySeconds": 30}}, "terminationGracePeriodSeconds"),
        ({"commserver": {"kind": "Deployment"}}, "kind"),
        ({"commserver": {"udp_port": 1}}, "udp_port"),
        ({"coordinator": {"config": {"auth": "none"}}}, "not"),
        ({"backplane": {"url": "redis://user:password@redis"}}, "url"),
        ({"backplane": {"url": "rediss://redis", "caKey": "ca.crt"}}, "existingSecret"),
        ({"ingress": {"enabled": True}}, "ingress"),
        ({"coordinator": {"extraVolumes": [{"name": "secrets", "emptyDir": {}}]}}, "extraVolumes"),
        ({"commserver": {"extraVolumes": [{"name": "nothing"}]}}, "extraVolumes"),
        ({"commserver": {"extraVolumeMounts": [{"name": "mine", "mountPath": "/tmp"}]}}, "extraVolumeMounts"),
        (
            {"commserver": {"extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}]}},
            "commserver.extraVolumeMounts: /ca mounts the volume .*ca.*, which commserver.extraVolumes does not have",
        ),
        (
            {
                "coordinator": {
                    "extraVolumes": [{"name": "turn", "emptyDir": {}}],
                    "extraVolumeMounts": [{"name": "turn", "mountPath": "/turn"}, {"name": "trun", "mountPath": "/trun"}],
                }
            },
            "coordinator.extraVolumeMounts: /trun mounts the volume .*trun",
        ),
        ({"coordinator": {"extraVolumeMounts": [{"name": "backplane", "mountPath": "/more"}]}}, "coordinator.extraVolumes"),
        (
            {"commserver": {"config": {"drain_seconds": 20}}},
            "commserver.config.drain_seconds would be set twice: give commserver.drainSeconds instead",
        ),
        ({"commserver": {"config": {"udp_port": 7001}}}, "give commserver.udpPort instead"),
        ({"commserver": {"config": {"announce": ["auto"]}}}, "give commserver.announce instead"),
        ({"commserver": {"config": {"coordinator": "ws://x:9090"}}}, "commserver.config.coordinator would be set twice"),
        ({"backplane": REDIS, "coordinator": {"config": {"backplane": "redis://x"}}}, "give backplane.url instead"),
        (
            {"ingress": {"trustedProxies": ["10.0.0.1"]}, "coordinator": {"config": {"trusted_proxies": ["10.0.0.2"]}}},
            "give ingress.trustedProxies instead",
        ),
        ({"image": {"repository": "x", "tag": "latest"}}, "tag"),
    ],
)
def test_values_that_would_go_wrong_are_refused(tools: Tools, values: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        render(tools, values)


def test_the_schema_has_every_value(tools: Tools) -> None:
    (values,) = tools.yaml((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert values.keys() <= schema["properties"].keys()
    for name, value in values.items():
        if isinstance(value, dict):
            assert value.keys() == schema["properties"][name]["properties"].keys(), name


def test_notes_say_where_to_go(tools: Tools) -> None:
    notes = render(tools, EVERYTHING)["rtcbroker/templates/NOTES.txt"]
    assert "https://rtc.example.com" in notes
    assert "port 7100" in notes


def test_numbers_are_written_as_the_processes_read_them(tools: Tools) -> None:
    """A chart knows all numbers as floating point ones, and writes a million as 1e+06 where nobody sees to it."""
    config = {"reliable_queue": 8_388_608, "max_peers": 2_000_000, "udp_receive_buffer": 1_000_000, "coalesce_window": 0.02}
    container = the(manifests(tools, {"commserver": {"config": config}}), "StatefulSet", "commserver")
    (only,) = container["spec"]["template"]["spec"]["containers"]
    variables = {each["name"].removeprefix("RTCBROKER_COMMSERVER_").lower(): each.get("value") for each in only["env"]}
    assert {name: variables[name] for name in config} == {name: str(value) for name, value in config.items()}
