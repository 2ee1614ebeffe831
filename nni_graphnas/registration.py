"""Registration of the tuners with NNI, so that a configuration names them as it names NNI's own."""

from __future__ import annotations

from nni_graphnas.host import require_nni

require_nni()

from nni.runtime.config import get_config_file  # noqa: E402
from nni.tools.package_utils import AlgoMeta, register_algo_meta  # noqa: E402

from nni_graphnas.tuner import TUNERS  # noqa: E402


def register() -> list[tuple[str, str, str]]:
    """Register every tuner of ours under the name of its method; a second call changes nothing.

    NNI keeps the list in the environment it is installed in, or in ``$NNI_CONFIG_DIR``.

    Returns:
        The name and the class of each tuner, and the file in which NNI keeps it.
    """
    file = str(get_config_file("registered_algorithms.yml"))
    registered = []
    for tuner in TUNERS:
        class_name = f"{tuner.__module__}.{tuner.__qualname__}"
        meta = {
            "algoType": "tuner",
            "builtinName": tuner.method_name,
            "className": class_name,
            "classArgsValidator": f"{tuner.__module__}.{tuner.method_name}ArgumentsValidator",
            "source": "user",
        }
        register_algo_meta(AlgoMeta.load(meta))
        registered.append((tuner.method_name, class_name, file))
    return registered
