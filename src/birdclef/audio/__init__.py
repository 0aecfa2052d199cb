"""From sound files to stored samples: decode and pack them, set aside unreadable ones."""
