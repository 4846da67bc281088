"""The store of a sweep: a folder that survives power loss, full disks and killed processes."""
