"""What the use-cases and the loop share: the bots in memory, and the one way to change their rows.

`views` shows every bot with its last look and tells who listens; `wishes` writes rows, crashes and
the journal together; `journal` writes down requests; `blueprint` says which container a bot should
have; `hostpaths`, `threads` and `patience` are what that takes.
"""
