"""Everything of a run on disk.

`directory` owns it: one process holds it, and everything is written through what that one opened. `contents` says what
it must contain: each checkpoint (`checkpoint`, `checkpoint_files`, `saver`) holds the size and hash of the other files,
and `recovery` brings them back to that. `metrics_log` has the rows; `boards` passes them on to TensorBoard
(`tensorboard`, `event_file`) and to `trackers`. `reading` and `finding` look from outside; `exported` is a generator
alone.
"""
