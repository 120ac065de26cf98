"""The catalogue: what is known of every photo, in SQLite. The truth that the full-text index is made from."""
