"""CloudFormation and CloudWatch: an alarm on what is computed of several metrics."""

from ministack.services.cloudformation import provisioners

from . import patch


def close() -> None:
    """MiniStack refuses `Metrics`. Here the alarm is there, and never rings; what AWS checks of it is checked.

    Source: CloudWatch API, `PutMetricAlarm`: exactly one of the metrics returns its data, and none of a simple alarm's
    properties stands beside them.
    """
    original = provisioners._cw_metric_alarm_record

    def record(name, props):
        metrics = props.get("Metrics")
        if not metrics:
            return original(name, props)
        beside = {"MetricName", "Namespace", "Dimensions", "Period", "Statistic", "ExtendedStatistic", "Unit"} & set(props)
        if beside:
            raise ValueError(f"an alarm of Metrics has {', '.join(sorted(beside))} too")
        # Beside the band of an anomaly detector its metric returns data, too.
        wanted = 2 if "ThresholdMetricId" in props else 1
        if sum(str(metric.get("ReturnData", True)).lower() == "true" for metric in metrics) != wanted:
            raise ValueError(f"exactly {wanted} of the alarm's Metrics must return data")
        stat = next(metric["MetricStat"] for metric in metrics if "MetricStat" in metric)
        simple = {key: value for key, value in props.items() if key != "Metrics"}
        # What it is held against is the band.
        if "ThresholdMetricId" in props:
            simple["Threshold"] = 0
        return original(name, {**simple, "MetricName": stat["Metric"]["MetricName"], "Namespace": stat["Metric"]["Namespace"],
                               "Period": stat["Period"], "Statistic": stat["Stat"]})

    patch.everywhere(original, record)
