"""Processes that only ever add speed: started, listened to, given up on, started once again."""
