"""Wang et al. 2021, "Self-supervised denoising for massive noisy images": what the tables of the autoencoder share.

What they share with those of Noise2Atom, of the same authors, stands in `experiments.very_noisy`.
"""

from stemjax.tables.published import PAPERS

PUBLISHED = PAPERS["autoencoder"]
AUTHORS = "Wang et al. 2021"
SOURCE = f"{AUTHORS} (autoencoder)"
NETWORK, BLIND = "Autoencoder", "Noise2Self"
