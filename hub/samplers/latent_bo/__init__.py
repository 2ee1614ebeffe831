from optuna_graphnas import LatentBOSampler


__all__ = ["LatentBOSampler"]
