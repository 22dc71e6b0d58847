"""What people read: texts that keep their parts for programs, and the streams that carry them."""

from throughtime.messages.text import Argument, Message, Renaming, Setting, describe, sentence

__all__ = ["Argument", "Message", "Renaming", "Setting", "describe", "sentence"]
