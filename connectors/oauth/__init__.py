"""How people sign in at a platform: the two protocols, without I/O of their own."""

import logging

# oauthlib notes base strings and token answers at DEBUG; no log of ours may ever hold them.
logging.getLogger("oauthlib").setLevel(logging.WARNING)
