"""Reading the text in photos, in worker processes: a glance at each, and a close look where there may be text."""
