"""From a sound file to stored samples: decode, pack, set aside what cannot be read."""
