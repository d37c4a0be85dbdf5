"""The page that a run leaves behind; reads the run folder only."""
