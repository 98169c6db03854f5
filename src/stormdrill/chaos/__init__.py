"""Thin Chaos Toolkit entry points: what they are asked to do is done by the supervisor, over its socket."""
