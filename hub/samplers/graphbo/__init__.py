from optuna_graphnas import GraphBOSampler


__all__ = ["GraphBOSampler"]
