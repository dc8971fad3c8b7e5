"""How the tests and size smoke compile: fast, as programs run a few times. `python -m tests.compilation` prints it.

They compile much and compute little: most of their time would be the code generator's optimisations, and its new fusion
emitters. An XLA that does not know a flag ends the process, so the second one is for the versions tried.
"""

from importlib.metadata import version

FLAGS = "--xla_backend_optimization_level=0"
if version("jaxlib").startswith("0.10."):
    FLAGS += " --xla_cpu_use_fusion_emitters=false"

if __name__ == "__main__":
    print(FLAGS)
