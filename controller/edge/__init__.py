"""The edge: events to a Worker of one's own, and signed calls and wishes from it.

Nothing here is imported where the settings name no Worker.
"""
