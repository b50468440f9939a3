"""Where the tasks of a run are done: in this process, in several on this machine, on a cluster."""
