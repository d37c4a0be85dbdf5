"""What may be configured, where conf/ is, and how a command starts. Nothing heavy is imported here."""
