"""The command ``graphnas``: one module for each of its commands, and what they share."""
