from optuna_graphnas import NASGEMSampler


__all__ = ["NASGEMSampler"]
