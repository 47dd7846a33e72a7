"""Metrics as fields of a log line, in CloudWatch's embedded format: no permission, no call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping
from typing import Any

NAMESPACE = "TransferServerState"


def embedded(
    now_s: float, counts: Mapping[str, float], dimensions: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the fields by which CloudWatch finds these figures in a log line.

    `dimensions` are other fields of the line; the figures are also kept without any.
    """
    units = {name: "Seconds" if name.endswith("Seconds") else "Count" for name in counts}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[], list(dimensions)] if dimensions else [[]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    return {
        "_aws": {"Timestamp": int(now_s * 1000), "CloudWatchMetrics": [directive]},
        **counts,
    }
