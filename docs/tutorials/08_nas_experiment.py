"""NNI: a NasExperiment
====================

Every space becomes a ``ModelSpace``, and every method is a strategy. NNI's own evaluators and strategies can
be mixed with them.
"""

# %%
# A function is what a trial does: it is given the network, and reports a number. NNI pickles it, so it
# loads its data itself. The name ``nni_graphnas`` comes before ``nni.nas``, since importing it first gets
# past a torchvision that does not fit torch.

import logging
import tempfile

from graphnas.plots import plot_architecture
from nni_graphnas import architecture, model_space
from nni_graphnas.strategy import GraphBO
from search_spaces import GEMNet

from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment import NasExperiment

logging.getLogger("nni").setLevel(logging.ERROR)
space = GEMNet(num_nodes=6)


def fit(network):
    """Train for two epochs on a part of the digits, and report the accuracy on others."""
    import nni

    from graphnas.training import TrainingConfig, load_dataset
    from graphnas.training.loop import Training, train_epochs
    from graphnas.training.splits import stratified_split

    data = load_dataset("digits")
    config = TrainingConfig.preset("digits", epochs=2)
    train, validation = stratified_split(data.train.labels, config.train_fraction, seed=0)
    training = Training(network, data.train, train, config, data.normalisation, seed=0)
    accuracy = 0.0
    for epoch in train_epochs(training, validation=validation):
        accuracy = epoch.validation_accuracy
    nni.report_final_result(accuracy)


# %%
# ``execution_engine="sequential"`` runs the trials here, one after the other; without it, NNI starts a
# process for each and shows them on its web page.

strategy = GraphBO(seed=0)
networks = model_space(space, num_classes=10, in_channels=1, width=8)
experiment = NasExperiment(networks, FunctionalEvaluator(fit), strategy)
experiment.config.execution_engine.name = "sequential"
experiment.config.experiment_working_directory = tempfile.mkdtemp()
experiment.config.max_trial_number = 6
experiment.run()

# %%
(sample,) = experiment.export_top_models(1, formatter="dict")
best = architecture(sample, space)
print(f"{strategy.best().value:.2f} %  {best}")
figure = plot_architecture(best, space)

# %%
# ``examples/nas_experiment.py`` runs trials as processes, two at a time, and trains the best once more.
