"""Load: the generator as a child process, and what its parent may know of it.

`process` starts and watches the child, `config` is what it is told, `live` what it says every second.
`arrivals`, `journey`, `outcomes`, `backoff`, `tally` and `recorder` are its pure parts. `child` and the
package `generator` run inside the child only: they are the one place where Locust and gevent are imported.
"""
