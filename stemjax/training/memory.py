"""Memory that a training frees and takes again every step, kept instead of given back to the system."""

import ctypes
import os

# From glibc's malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD [bytes], M_TOP_PAD [bytes], M_ARENA_MAX.
SETTINGS = ((-4, 0), (-1, 2**31 - 1), (-2, 128 * 2**20), (-8, 1))


def keep_freed_memory() -> bool:
    """Let freed memory stay with this process, for the next step of a training to use; False where that cannot be.

    On a CPU, XLA allocates the work space of a convolution anew in every call. glibc asks the system for blocks above
    32 MiB and gives them back when they are freed, so that the system maps and clears all their pages again in every
    step, which can take as long as the arithmetic. Now such blocks come from the heap, and the heap does not shrink.

    Call it before JAX starts its threads, that is before the first array: a thread that has a heap of its own keeps
    it, and blocks above 64 MiB do not fit there. Later it helps smaller blocks only.

    The price: the process keeps the largest size that it had, a tenth to a half more than before with what lies
    unused between blocks, until it ends.

    Nothing happens where the C library is not glibc. From outside the same is done, before the process starts, by::

        MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2147483647 MALLOC_TOP_PAD_=134217728 MALLOC_ARENA_MAX=1
    """
    try:
        is_glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # no confstr at all, or a C library that does not know the name
        return False
    if not is_glibc:
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(number, value) == 1 for number, value in SETTINGS)
