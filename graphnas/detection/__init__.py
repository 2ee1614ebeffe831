"""Found networks in object detectors: those of mmdet and those of torchvision."""
