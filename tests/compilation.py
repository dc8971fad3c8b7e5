"""How the tests and size smoke compile: fast, as programs run a few times. `python -m tests.compilation` prints it.

They compile much and compute little: most of their time would be the code generator's optimisations, its new fusion
emitters, and the parts that it splits a program into, for threads that they do not have. An XLA that does not know a
flag ends the process, so all but the first are for the versions tried.
"""

from importlib.metadata import version

FLAGS = "--xla_backend_optimization_level=0"
if version("jaxlib").startswith("0.10."):
    FLAGS += " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"

if __name__ == "__main__":
    print(FLAGS)
