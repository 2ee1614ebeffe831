from optuna_graphnas import GraphPNASSampler


__all__ = ["GraphPNASSampler"]
