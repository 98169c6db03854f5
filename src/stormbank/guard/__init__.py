"""What stands around the calls of one dependency, so that its trouble stays its own. `guarded` puts it together."""
