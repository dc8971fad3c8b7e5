"""The ends of a movie, for denoisers that look at the frames before and after each."""

import jax
import jax.numpy as jnp


def reflect_in_time(noisy: jax.Array, frames: tuple[int, int], name: str) -> jax.Array:
    """Movies [B, T, H, W, C] continued by reflection about their first and last frames: [B, T + sum(frames), H, W, C].

    The frame before the first is the second. One that was repeated would show a blind network the very pixel that it
    must not see.

    Parameters
    ----------
    frames : (int, int)
        How many are needed before and after.
    name : str
        Of the denoiser, for the message.

    Raises
    ------
    ValueError
        If a movie has too few frames to be reflected.
    """
    count, needed = noisy.shape[1], max(frames) + 1
    if count < needed:
        only = "there is only 1 frame" if count == 1 else f"there are only {count} frames"
        raise ValueError(
            f"{name} looks at {frames[0]} before and {frames[1]} after each frame, so it needs {needed}, but {only}: "
            "use wcid, which needs one, or more frames"
        )
    return jnp.pad(noisy, [(0, 0), frames, (0, 0), (0, 0), (0, 0)], mode="reflect")
