"""The small words around a command, which mean nothing to the bot."""

from __future__ import annotations

from collections.abc import Mapping

POLITE = {
    *("please", "pls", "plz", "thanks", "thx", "thank", "you", "bitte"),
    *("now", "it", "again", "sure", "do", "so"),
}
"""Words after a command that change nothing."""
DENYING = {"don't", "not", "link", "them", "that", "that's", "this", "is", "isn't", "me", "mine", "wrong", "never"}
"""Words that may follow a no."""
LEADING = {
    *("a", "all", "an", "and", "bot", "can", "could", "display", "do", "flattr", "for", "get", "give", "hub", "i"),
    *("i'd", "i'm", "just", "let", "let's", "like", "make", "me", "my", "now", "of", "ok", "open", "please", "pls"),
    *("see", "set", "show", "some", "tell", "the", "this", "to", "up", "view", "wanna", "want", "will", "would"),
    *("you", "your"),
}
"""Words before a command that change nothing, as in "can you show me my budget"."""

_GREETINGS = ("hello", "hi", "hey", "hallo", "moin", "servus", "start", "yo", "hola", "ping", "test")
_THANKS = (
    *("thanks", "thx", "ty", "cheers", "danke", "merci", "ok", "okay", "great", "cool", "nice", "bye"),
    *("👍", "🙏"),
)

SMALL_TALK: Mapping[str, str] = dict.fromkeys(_GREETINGS, "hello") | dict.fromkeys(_THANKS, "thanks")
"""Words that want a friendly answer and nothing else."""
