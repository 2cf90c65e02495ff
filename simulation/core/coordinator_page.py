"""What the metrics page of a coordinator says, as far as a table shows it."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class CoordinatorSample:
    """One look at one coordinator."""

    clients: int
    """Whose sockets are there."""
    servers: int
    """Of the cluster, as it knows them."""
    is_linked: bool
    """It reaches the others."""


def parse_coordinator_page(text: str) -> CoordinatorSample:
    """Read a page in the text format of Prometheus. Raises ValueError when it is none."""
    clients = servers = 0.0
    is_linked = True
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "rtcbroker_coordinator_peers" and sample.labels.get("role") == "client":
                clients = sample.value
            elif sample.name == "rtcbroker_coordinator_servers":
                servers += sample.value
            elif sample.name == "rtcbroker_coordinator_backplane_up":
                is_linked = sample.value == 1
    return CoordinatorSample(int(clients), int(servers), is_linked)
